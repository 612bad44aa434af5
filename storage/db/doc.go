// Package db is the one store of metadata, on SQLite and on PostgreSQL: case
// files, people, consents, grants, recordings, and the custody log that all of
// them are written with.
//
// # One unit of work
//
// A method that changes anything that matters takes its custody entry and runs in
// write: the log's one head row is locked first, the change is made, the entry is
// appended to the Merkle tree, its event is numbered, and all of it is committed at
// once. No transaction handle leaves the package. What needs no entry, because it
// is progress that another entry stands for or state of the machinery, runs in
// quiet. Reads that belong together run in read, which is one snapshot.
//
// # Adding a method
//
// Write its SQL in the method, with every column named and $1 placeholders, which
// work on both databases. Wrap what Scan returns with notFound and what an INSERT
// returns with conflict. The function that write is given may run more than once:
// it touches nothing but tx. Add the table to a numbered migration in both
// folders of migrations, and the behaviour to the conformance suite.
//
// # Durability
//
// SQLite runs in WAL mode with synchronous=FULL, one writer connection and a pool
// of readers. PostgreSQL runs as its server is set up; turning off fsync or
// synchronous_commit there breaks what this package promises. If an answer to
// COMMIT is lost, the log itself tells whether it happened; if even that cannot be
// read, the error wraps [evidence.ErrUnknownState].
//
// A [Store] is safe for concurrent use.
package db
