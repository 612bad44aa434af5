// Package main is toldonce-verify as one page that needs no network: package
// verify, compiled for a browser. Built for anything else, it makes that page.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"syscall/js"
	"time"

	"github.com/toldonce/toldonce/evidence/disclosure/lang"
	"github.com/toldonce/toldonce/evidence/disclosure/verify"
	"github.com/toldonce/toldonce/evidence/seal"
)

func main() {
	js.Global().Set("toldonceVerify", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return promise(func() (any, error) { return judge(args[0]) })
	}))
	js.Global().Call("toldonceReady")
	select {}
}

// promise runs act on a goroutine of its own, so that the page stays alive.
func promise(act func() (any, error)) js.Value {
	var run js.Func
	run = js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve, reject := args[0], args[1]
		go func() {
			defer run.Release()
			out, err := act()
			if err != nil {
				reject.Invoke(js.Global().Get("Error").New(err.Error()))
				return
			}
			resolve.Invoke(out)
		}()
		return nil
	})
	return js.Global().Get("Promise").New(run)
}

// judge takes {files: [{name, blob}], trust: Uint8Array or null, lang} and returns
// {json, pdf}. One file that is called like an archive is read as one.
func judge(in js.Value) (any, error) {
	var trust *seal.Trust
	if t := in.Get("trust"); t.Truthy() {
		data := make([]byte, t.Get("length").Int())
		js.CopyBytesToGo(data, t)
		var err error
		if trust, err = seal.ParseTrust(data); err != nil {
			return nil, errors.New("trust file: " + err.Error())
		}
	}
	files := make([]verify.File, in.Get("files").Length())
	for i := range files {
		f := in.Get("files").Index(i)
		b := blob{f.Get("blob")}
		files[i] = verify.File{Name: f.Get("name").String(), Size: b.size(), Open: func() (io.ReaderAt, io.Closer, error) { return b, io.NopCloser(nil), nil }}
	}
	var report *verify.Report
	var err error
	if in.Get("archive").Truthy() && len(files) == 1 {
		r, _, _ := files[0].Open()
		report, err = verify.Archive(context.Background(), r, files[0].Size, files[0].Name, trust)
	} else {
		report, err = verify.Files(context.Background(), files, trust)
	}
	if err != nil {
		return nil, err
	}
	l := lang.Language(in.Get("lang").String())
	data, err := json.Marshal(report.In(l))
	if err != nil {
		return nil, err
	}
	var pdf bytes.Buffer
	if err := report.WritePDF(&pdf, l, time.Now()); err != nil {
		return nil, err
	}
	out := js.Global().Get("Uint8Array").New(pdf.Len())
	js.CopyBytesToJS(out, pdf.Bytes())
	return map[string]any{"json": string(data), "pdf": out, "verdict": l.T(string(report.Verdict)), "holds": report.Verdict == verify.Verified}, nil
}

// blob is a file that the browser reads from disk, a piece at a time.
type blob struct{ js.Value }

func (b blob) size() int64 { return int64(b.Get("size").Float()) }

// ReadAt implements [io.ReaderAt].
func (b blob) ReadAt(p []byte, off int64) (int, error) {
	want := min(int64(len(p)), b.size()-off)
	if want <= 0 {
		return 0, io.EOF
	}
	type got struct {
		n   int
		err error
	}
	done := make(chan got, 1)
	then := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- got{n: js.CopyBytesToGo(p, js.Global().Get("Uint8Array").New(args[0]))}
		return nil
	})
	fails := js.FuncOf(func(js.Value, []js.Value) any {
		done <- got{err: errors.New("the browser could not read it")}
		return nil
	})
	defer then.Release()
	defer fails.Release()
	b.Call("slice", float64(off), float64(off+want)).Call("arrayBuffer").Call("then", then, fails)
	r := <-done
	if r.err == nil && r.n < len(p) {
		r.err = io.EOF
	}
	return r.n, r.err
}
