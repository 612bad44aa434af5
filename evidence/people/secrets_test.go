package people

import (
	"strings"
	"testing"

	"github.com/toldonce/toldonce/evidence"
)

func TestPasswords(t *testing.T) {
	for _, c := range []struct {
		password string
		ok       bool
	}{
		{"correct battery horse", true},
		{"пет пута седам риба", true},
		{"katër fjalë krejt të rastit", true},
		{"zgh9!kLq0w#e", true},
		{"short", false},
		{"elevenchars", false},
		{strings.Repeat("long ", 52), false},
		{"aaaaaaaaaaaaaaaa", false},
		{"ababababababab", false},
		{"passwordpassword", false},
		{"Password12!!", false},
		{"qwertyuiop123456", false},
		{"lozinkalozinka", false},
		{"arta.krasniqi1", false},
		{"Arta Krasniqi 7", false},
		{"\xff\xfe not text at all", false},
	} {
		if err := checkPassword(c.password, "arta.krasniqi", "Arta Krasniqi"); (err == nil) != c.ok {
			t.Errorf("%q: %v, want ok %v", c.password, err, c.ok)
		}
	}
}

// TestRFC6238 checks the reference values of RFC 6238 appendix B for SHA-1, cut to
// six digits.
func TestRFC6238(t *testing.T) {
	secret := []byte("12345678901234567890")
	for _, c := range []struct {
		unix int64
		code string
	}{{59, "287082"}, {1111111109, "081804"}, {1111111111, "050471"}, {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}} {
		now := evidence.Instant(c.unix * 1_000_000)
		counter, ok := matchTOTP(secret, c.code[:3]+" "+c.code[3:], now)
		if !ok || counter != c.unix/30 {
			t.Errorf("at %d: step %d, %v", c.unix, counter, ok)
		}
		if _, ok := matchTOTP(secret, c.code, now+2*totpStep); ok {
			t.Errorf("at %d: still accepted two steps later", c.unix)
		}
		if _, ok := matchTOTP(secret, c.code, now-2*totpStep); ok && c.unix > 100 { // there is no time before 1970
			t.Errorf("at %d: accepted two steps early", c.unix)
		}
	}
}

func TestPlaces(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1",
		"[2001:db8::1]:5": "2001:db8::/64", "2001:db8::2": "2001:db8::/64", "fe80::1%eth0": "fe80::/64", "": "", "nonsense": "nonsense",
	} {
		if got := placeOf(address); got != want {
			t.Errorf("%q is %q, want %q", address, got, want)
		}
	}
}

func FuzzMatchTOTP(f *testing.F) {
	f.Add([]byte("12345678901234567890"), "287082", int64(59_000_000))
	f.Add([]byte{}, "", int64(0))
	f.Add(make([]byte, 20), "٠٠٠٠٠٠", int64(1)<<62)
	f.Fuzz(func(t *testing.T, secret []byte, code string, now int64) {
		if counter, ok := matchTOTP(secret, code, evidence.Instant(now)); ok && (counter < now/totpStep-1 || counter > now/totpStep+1) {
			t.Errorf("matched step %d at %d", counter, now)
		}
	})
}
