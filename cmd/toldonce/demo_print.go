package main

import (
	"fmt"
	"io"
	"time"

	"github.com/pquerna/otp/totp"
)

// writeDemo tells a person how to sign in. The codes are those of now; the
// secrets go into an authenticator app for later.
func writeDemo(w io.Writer, r demoReady, now time.Time) error {
	fmt.Fprintf(w, "\nThe demonstration is ready at %s\n\n", r.URL)
	err := table(w, func(row func(string, ...any)) {
		row("LOGIN\tPASSWORD\tCODE NOW\tSECRET FOR AN AUTHENTICATOR APP\tWHO")
		for _, a := range r.Accounts {
			code, err := totp.GenerateCode(a.TOTP, now)
			if err != nil {
				code = "-"
			}
			row("%s\t%s\t%s\t%s\t%s, %s", a.Login, a.Password, code, a.TOTP, a.Name, roleName(string(a.Role)))
		}
	})
	if err != nil {
		return err
	}
	left := 30 - now.Unix()%30
	_, err = fmt.Fprintf(w, `
A code lasts 30 seconds (these: %[1]d more) and is accepted once. For new ones scan or type the secret into an
authenticator app, or run: oathtool --totp -b SECRET

Try this:
  1. Sign in as interviewer: watch the sealed interview, verify it, or start the next one with your own camera.
  2. Sign in as prosecutor: ask for a part of the sealed interview. As custodian: approve it, and later revoke it.
  3. As custodian: export the sealed interview, and check it with
     bin/toldonce-verify PACKAGE --trust %[2]s

Press Ctrl+C to end. The next start goes on with the same data.
`, left, r.Trust)
	return err
}

// roleName shows a role in words.
func roleName(role string) string {
	names := map[string]string{
		"admin": "administrator", "case_manager": "case manager", "advocate": "victims' advocate", "custodian": "evidence custodian",
	}
	if name, ok := names[role]; ok {
		return name
	}
	return role
}
