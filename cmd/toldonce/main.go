// Command toldonce is the server of Told Once and its operator's command line.
//
// `init`, `serve` and `demo` work on a data folder of this machine. Every other
// command is a client of a running server's API, found by TOLDONCE_URL and
// TOLDONCE_TOKEN. Run `toldonce help` for the commands and the exit codes.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(program()) }

// program runs the command line that the process was started with.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv})
}

// console is what a command may talk to: the three streams and the environment.
type console struct {
	in     io.Reader
	out    io.Writer // results only
	err    io.Writer // errors, progress and logs
	getenv func(string) string
}

// run executes one command line and returns the process's exit code. It ends
// early, and in order, when ctx does.
func run(ctx context.Context, args []string, con console) int {
	root := newRoot(con)
	root.SetArgs(args)
	root.SetIn(con.in)
	root.SetOut(con.out)
	root.SetErr(con.err)
	return report(con.err, root.ExecuteContext(ctx))
}
