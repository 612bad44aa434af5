package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base32"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/toldonce/toldonce/evidence"
)

const (
	// PasswordMin and PasswordMax bound a password, in characters and in bytes.
	PasswordMin = 12
	PasswordMax = 256

	// TOTPPurpose binds a wrapped second-factor secret to this use of the keyring.
	TOTPPurpose = "totp"
	totpSize    = 20         // bytes of a secret (RFC 4226 section 4, R6)
	totpStep    = 30_000_000 // microseconds (RFC 6238 section 4.1)
	totpSkew    = int64(1)   // steps before and after that are accepted (section 5.2)
)

//go:embed common.txt
var commonPasswords string

// checkPassword refuses what NIST SP 800-63B section 5.1.1.2 refuses: what is
// short, commonly used, repetitive, or made of the account's own words.
func checkPassword(password, login, name string) error {
	refuse := func(code, text string) error { return evidence.Refuse(evidence.ErrInvalid, code, text, "P38") }
	if !utf8.ValidString(password) || len(password) > PasswordMax {
		return refuse("password.long", "The password is longer than 256 bytes.")
	}
	if utf8.RuneCountInString(password) < PasswordMin {
		return refuse("password.short", "The password must have at least 12 characters. Four ordinary words in a row make a good one.")
	}
	low := strings.ToLower(password)
	words := append(strings.Fields(strings.ToLower(name)), login, strings.ReplaceAll(login, ".", ""))
	rest := low
	for _, word := range words {
		if len(word) >= 3 {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	if utf8.RuneCountInString(rest) < 8 {
		return refuse("password.own_name", "The password is made of the login or name; choose other words.")
	}
	distinct := map[rune]bool{}
	for _, r := range low {
		distinct[r] = true
	}
	if len(distinct) < 5 {
		return refuse("password.repetitive", "The password repeats the same few characters; choose other words.")
	}
	for common := range strings.FieldsSeq(commonPasswords) {
		if low == common || strings.Trim(low, "0123456789!.?*#-_ ") == common {
			return refuse("password.common", "This password is among the first that an attacker tries; choose other words.")
		}
	}
	return nil
}

// hash returns the PHC string of a password. It waits for one of a few slots,
// so that many attempts at once cannot take all memory.
func (s *Service) hash(ctx context.Context, password string) (string, error) {
	if err := s.slot(ctx); err != nil {
		return "", err
	}
	defer s.release()
	hash, err := argon2id.CreateHash(password, s.Hash)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}

// matches compares a password with a PHC string.
func (s *Service) matches(ctx context.Context, password, hash string) (bool, error) {
	if len(password) > PasswordMax {
		password = "" // a longer one was never set; do not hash megabytes
	}
	if err := s.slot(ctx); err != nil {
		return false, err
	}
	defer s.release()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("comparing a password: %w", err)
	}
	return ok, nil
}

func (s *Service) slot(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) release() { <-s.slots }

func newTOTPSecret() []byte {
	secret := make([]byte, totpSize)
	rand.Read(secret)
	return secret
}

func encodeSecret(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// totpURI is the key URI that authenticator apps read from a QR code.
func totpURI(issuer, login string, secret []byte) string {
	q := url.Values{"secret": {encodeSecret(secret)}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + login, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	return u.String()
}

// matchTOTP returns the time step whose code this is, among the present one and
// one on either side. It takes the same time whichever matches.
func matchTOTP(secret []byte, code string, now evidence.Instant) (counter int64, ok bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	present := int64(now) / totpStep
	for step := present - totpSkew; step <= present+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(encodeSecret(secret), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			counter, ok = step, true
		}
	}
	return counter, ok
}
