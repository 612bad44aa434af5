// Package db is the one store of metadata, on SQLite and on PostgreSQL: case
// files, people, consents, grants, recordings, and the custody log that all of
// them are written with.
//
// # One unit of work
//
// A method that changes anything that matters takes its custody entry and runs in
// write: the log's one head row is locked first, the change is made, the entry is
// appended to the Merkle tree, its event is numbered, and all of it is committed at
// once. Writers take turns, so what the function reads cannot change under it; those
// that wait in one process share the next commit, each behind a savepoint of its own
// (group.go), and none is answered before that commit is on disk. No
// transaction handle leaves the package. What needs no entry, because it is
// progress that another entry stands for or state of the machinery, runs in quiet
// and must be idempotent. Reads that belong together run in read, which is one
// snapshot; no read can write.
//
// # Adding a method
//
//	func (s *Store) SaveThing(ctx context.Context, t Thing, entry custody.Entry) error {
//		return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
//			return once(tx.exec(ctx, `UPDATE thing SET state = $3, version = version + 1 WHERE id = $1 AND version = $2`, t.ID, t.Version, t.State))
//		})
//	}
//
// Every column is named and placeholders are $1, which work on both databases. A
// row that is missing is [evidence.ErrNotFound] from Scan, a broken unique
// constraint [evidence.ErrConflict] from exec, and once says conflict unless one row
// changed. The function may run more than once and touches nothing but tx: tx.at is
// the time of its entries, tx.next the position of the first, tx.entries may be
// amended, tx.log adds an entry and tx.event an event without one. Rows have their
// agency and, if they change, a version; identifiers are text, empty for none,
// instants BIGINT microseconds. Add the table to a numbered migration in both folders
// of migrations, and the behaviour to the conformance suite.
//
// # Durability
//
// A method that changes something returns nil only once that is on disk: SQLite runs
// in WAL mode with synchronous=FULL, and a PostgreSQL server with fsync or
// synchronous_commit turned off is refused. Any other error than
// [evidence.ErrUnknownState] means that nothing changed. If an answer to COMMIT is
// lost, the log itself tells whether it happened; if even that cannot be read, the
// error wraps ErrUnknownState, and the caller reads before it does anything else.
//
// A [Store] is safe for concurrent use.
package db
