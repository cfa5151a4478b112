# awspool from Python with SQLAlchemy's ORM, on psycopg2.

import warnings

from sqlalchemy import (BigInteger, Column, DateTime, FetchedValue, ForeignKey, Text,
                        create_engine, func, inspect, select, update)
from sqlalchemy.exc import DatabaseError, IntegrityError, SAWarning
from sqlalchemy.orm import Session, declarative_base, relationship

Base = declarative_base()


def from_server(type_):
    return Column(type_, FetchedValue())


class Account(Base):
    __tablename__ = 'accounts'
    __table_args__ = {'schema': 'awspool'}
    __mapper_args__ = {'eager_defaults': True}    # RETURNING what the server fills in

    account_id = Column(Text, primary_key=True)
    provider = from_server(Text)
    marketplace = Column(Text)
    model = Column(Text)
    status = from_server(Text)
    order_id = Column(Text, ForeignKey('orders.order_id'), FetchedValue())
    reason = from_server(Text)
    added_at = from_server(DateTime(timezone=True))
    added_by = from_server(Text)
    position = from_server(BigInteger)


class Order(Base):
    __tablename__ = 'orders'

    order_id = Column(Text, primary_key=True)
    customer = Column(Text)
    accounts = relationship(Account, viewonly=True)


ID = '1111111111{:02}'.format
engine = create_engine('postgresql+psycopg2://')    # PGHOST and its like
session = Session(engine)

# Add.
session.add_all(Account(account_id=ID(n), marketplace='MP-0001', model='SPAM')
                for n in range(6))
session.commit()
assert session.get(Account, ID(0)).provider == 'acme'

# List, a page at a time.
in_pool = select(Account).where(Account.status == 'ready', Account.marketplace == 'MP-0001')
ready, last = [], 0
while page := session.scalars(in_pool.where(Account.position > last)
                              .order_by(Account.position).limit(4)).all():
    ready += [account.account_id for account in page]
    last = page[-1].position
assert ready == [ID(n) for n in range(6)]

# Claim.  It counts once it is committed; so read the answer, commit, and then
# begin to provision.
claimed = session.execute(
    select(func.awspool.claim_account('acme', 'MP-0001', 'order-1')
           .table_valued('account_id', 'model'))).one()
session.commit()
assert claimed.account_id == ID(0)

# Join: a page of orders, and the accounts of all of them by a second query.
assert [[a.account_id for a in order.accounts] for order in
        session.scalars(select(Order).order_by(Order.order_id).limit(2))] == [[ID(0)], []]
assert session.execute(
    select(Order.customer, Account.status).join(Account).where(Order.order_id == 'order-1')
).all() == [('Ada', 'provisioning_in_progress')]

# Edit.  Only what was changed is sent.
session.get(Account, ID(1)).model = 'ECAM'
session.commit()

# Close.  Name the status that you saw: whoever comes second changes no row.
for changed in 1, 0:
    assert session.execute(
        update(Account)
        .where(Account.account_id == ID(0), Account.status == 'provisioning_in_progress')
        .values(status='allocated')
        .execution_options(synchronize_session=False)).rowcount == changed
    session.commit()

# Delete.  The ORM counts the rows, but only warns if somebody was faster.
warnings.simplefilter('error', SAWarning)
gone = session.get(Account, ID(2))
with Session(engine) as other:
    other.delete(other.get(Account, ID(2)))
    other.commit()
session.delete(gone)
try:
    session.commit()
    raise AssertionError('deleted twice')
except SAWarning:
    session.rollback()

# Errors are told apart by their code.
def code_of(change):
    try:
        with Session(engine) as other:
            change(other)
            other.commit()
    except DatabaseError as error:
        return type(error), error.orig.pgcode, error.orig.diag.constraint_name

def back_to_ready(session):
    session.get(Account, ID(0)).status = 'ready'

def add_again(session):
    session.add(Account(account_id=ID(1), marketplace='MP-0001', model='SPAM'))

assert code_of(back_to_ready) == (DatabaseError, 'WS001', None)
assert code_of(add_again) == (IntegrityError, '23505', 'account_pkey')

# What is to be found by looking at the database.
assert 'accounts' in inspect(engine).get_view_names('awspool')
assert len(inspect(engine).get_columns('accounts', 'awspool')) == 15
