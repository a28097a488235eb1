"""The rows: one table of tables, and small functions on a connection.

SQLAlchemy Core throughout; no session, no mapped classes.
"""
