package main

import (
	"net"
	"testing"
	"time"

	"github.com/toldonce/toldonce/web"
)

func TestURLIsOneThatTheCertificateVouchesFor(t *testing.T) {
	dir := t.TempDir()
	if err := web.InitLocalAuthority(dir+"/named", []string{"192.0.2.7", "recorder.police.example"}, time.Now); err != nil {
		t.Fatal(err)
	}
	if err := web.InitLocalAuthority(dir+"/numbered", []string{"192.0.2.7"}, time.Now); err != nil {
		t.Fatal(err)
	}
	everywhere := &net.TCPAddr{IP: net.IPv6unspecified, Port: 8443}
	here := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8443}
	for _, c := range []struct {
		authority string
		at        *net.TCPAddr
		public    string
		want      string
	}{
		{"", here, "", "http://localhost:8443"},
		{"", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 80}, "", "http://192.0.2.9:80"},
		{"named", here, "", "https://localhost:8443"},
		{"named", everywhere, "", "https://recorder.police.example:8443"},
		{"numbered", everywhere, "", "https://192.0.2.7:8443"},
		{"named", everywhere, "https://other.example/", "https://other.example"},
	} {
		o := serveOptions{publicURL: c.public}
		got := o.url(c.at, nil)
		if c.authority != "" {
			config, err := web.LocalTLS(dir+"/"+c.authority, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			got = o.url(c.at, config)
		}
		if got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.authority, c.at, got, c.want)
		}
	}
}
