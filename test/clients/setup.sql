-- What the programs in this folder find, each in a database of its own: they log
-- in as a shop that acts for provider "acme", and has a table of its own orders.

CREATE EXTENSION awspool;
SELECT awspool.grant_provider('acme', 'shop');
CREATE TABLE orders (order_id text PRIMARY KEY, customer text NOT NULL);
ALTER TABLE orders OWNER TO shop;
INSERT INTO orders VALUES ('order-1', 'Ada'), ('order-2', 'Grace'), ('order-3', 'Edsger');
