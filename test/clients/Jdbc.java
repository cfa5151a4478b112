// awspool from Java with PostgreSQL's JDBC driver.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.postgresql.util.PSQLException;

public class Jdbc {
    static Connection connection;

    public static void main(String[] args) throws SQLException {
        // The driver takes no address from the environment, and knows no sockets
        // but those of TCP.
        connection = DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE") + "?targetServerType=primary",
            System.getenv("PGUSER"), null);
        connection.setAutoCommit(false);

        // Add.  The provider is the only one that this role acts for.
        try (PreparedStatement add = connection.prepareStatement(
                "INSERT INTO awspool.accounts (account_id, marketplace, model)"
                + " VALUES (?, 'MP-0001', 'SPAM')", new String[] {"provider"})) {
            for (int n = 0; n < 6; n++) {
                add.setString(1, id(n));
                add.addBatch();
            }
            add.executeBatch();
            ResultSet keys = add.getGeneratedKeys();
            check(keys.next() && keys.getString("provider").equals("acme"));
        }
        connection.commit();

        // List, a page at a time: the last position of a page is where the next
        // begins.
        List<String> ready = new ArrayList<>();
        try (PreparedStatement list = connection.prepareStatement(
                "SELECT account_id, position FROM awspool.accounts"
                + " WHERE status = 'ready' AND marketplace = ? AND position > ?"
                + " ORDER BY position LIMIT 4")) {
            long last = 0;
            int found;
            do {
                list.setString(1, "MP-0001");
                list.setLong(2, last);
                found = 0;
                for (ResultSet page = list.executeQuery(); page.next(); found++) {
                    ready.add(page.getString(1));
                    last = page.getLong(2);
                }
            } while (found > 0);
        }
        check(ready.equals(List.of(id(0), id(1), id(2), id(3), id(4), id(5))));

        // Claim.  The account is the order's once it is committed; and asking
        // again gives the same one.  From the fifth time on the driver has the
        // statement prepared.
        try (PreparedStatement claim = connection.prepareStatement(
                "SELECT * FROM awspool.claim_account(?, ?, ?)")) {
            for (int attempt = 1; attempt <= 8; attempt++) {
                claim.setString(1, "acme");
                claim.setString(2, "MP-0001");
                claim.setString(3, "order-1");
                ResultSet account = claim.executeQuery();
                check(account.next() && account.getString("account_id").equals(id(0)));
                connection.commit();
            }
        }

        // Join.
        try (PreparedStatement join = connection.prepareStatement(
                "SELECT o.customer, a.account_id FROM orders o"
                + " LEFT JOIN awspool.accounts a USING (order_id)"
                + " ORDER BY o.order_id LIMIT 2")) {
            ResultSet row = join.executeQuery();
            check(row.next() && row.getString(1).equals("Ada") && row.getString(2).equals(id(0)));
            check(row.next() && row.getString(1).equals("Grace") && row.getString(2) == null);
        }

        // Edit.
        check(change("UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = ?", id(1)) == 1);

        // Close.  Name the status that you saw: whoever comes second changes no
        // row.
        String close = "UPDATE awspool.accounts SET status = 'allocated'"
            + " WHERE account_id = ? AND status = 'provisioning_in_progress'";
        check(change(close, id(0)) == 1);
        check(change(close, id(0)) == 0);

        // Delete.
        check(change("DELETE FROM awspool.accounts WHERE account_id = ?", id(2)) == 1);

        // Errors are told apart by their code.
        check(codeOf("UPDATE awspool.accounts SET status = 'ready' WHERE account_id = ?", id(0))
            .equals("WS001 null"));
        check(codeOf("SELECT awspool.add_account('acme', ?, 'MP-0001', 'SPAM')", id(1))
            .equals("23505 account_pkey"));

        // Warnings, such as that a commit did not wait for the standby.
        try (PreparedStatement warn = connection.prepareStatement(
                "DO $$ BEGIN RAISE WARNING 'heard'; END $$")) {
            warn.execute();
            check(warn.getWarnings().getMessage().equals("heard"));
        }
        connection.close();
    }

    static String id(int n) {
        return String.format("1111111111%02d", n);
    }

    static int change(String sql, String id) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setString(1, id);
            int rows = statement.executeUpdate();
            connection.commit();
            return rows;
        }
    }

    static String codeOf(String sql, String id) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setString(1, id);
            statement.execute();
            return "none";
        } catch (PSQLException error) {
            connection.rollback();
            return error.getSQLState() + " " + error.getServerErrorMessage().getConstraint();
        }
    }

    static void check(boolean holds) {
        if (!holds) {
            throw new AssertionError();
        }
    }
}
