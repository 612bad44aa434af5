// Package deps holds the test of which way imports point. It has no code: the
// rules stand in deps_test.go, in one table, and are checked against what
// `go list` reports for the whole module.
package deps
