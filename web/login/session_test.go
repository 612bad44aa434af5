package login

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// memory keeps sessions, and fails when it is told to.
type memory struct {
	rows map[string]row
	fail error
}

type row struct {
	account evidence.ID
	data    []byte
	expires evidence.Instant
}

func (m *memory) CreateSession(_ context.Context, hash string, account evidence.ID, data []byte, expires evidence.Instant) error {
	m.rows[hash] = row{account, data, expires}
	return m.fail
}

func (m *memory) UpdateSession(_ context.Context, hash string, data []byte, expires evidence.Instant) error {
	if r, ok := m.rows[hash]; ok {
		m.rows[hash] = row{r.account, data, expires}
	}
	return m.fail
}

func (m *memory) Session(_ context.Context, hash string) ([]byte, evidence.Instant, error) {
	if m.fail != nil {
		return nil, 0, m.fail
	}
	r, ok := m.rows[hash]
	if !ok {
		return nil, 0, evidence.ErrNotFound
	}
	return r.data, r.expires, nil
}

func (m *memory) DeleteSession(_ context.Context, hash string) error {
	delete(m.rows, hash)
	return m.fail
}

func (m *memory) SessionsOf(_ context.Context, account evidence.ID) (map[string][]byte, error) {
	out := map[string][]byte{}
	for hash, r := range m.rows {
		if r.account == account {
			out[hash] = r.data
		}
	}
	return out, m.fail
}

func (m *memory) EndSession(ctx context.Context, hash string, _ custody.Entry) error {
	if _, ok := m.rows[hash]; !ok {
		return evidence.ErrConflict
	}
	return m.DeleteSession(ctx, hash)
}

func (m *memory) DeleteExpiredSessions(_ context.Context, now evidence.Instant) error {
	for hash, r := range m.rows {
		if r.expires < now {
			delete(m.rows, hash)
		}
	}
	return m.fail
}

func request(cookies ...http.Cookie) *http.Request {
	r, err := http.NewRequest("GET", "https://localhost/", nil)
	if err != nil {
		panic(err)
	}
	for _, c := range cookies {
		r.AddCookie(&c)
	}
	return r
}

func TestManager(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	store := &memory{rows: map[string]row{}}
	m := New(store, func() time.Time { return now }, true)

	if _, err := m.Find(ctx, request()); !errors.Is(err, ErrNone) {
		t.Errorf("without a cookie: %v", err)
	}
	if _, err := m.Find(ctx, request(http.Cookie{Name: "__Host-toldonce", Value: "guess"})); !errors.Is(err, ErrNone) {
		t.Errorf("with a guess: %v", err)
	}
	begun, cookies, err := m.Begin(ctx, request(), "account-1", true)
	if err != nil || len(cookies) != 1 || len(store.rows) != 1 {
		t.Fatalf("%v, %d cookies, %d rows", err, len(cookies), len(store.rows))
	}
	for hash, r := range store.rows {
		if r.account != "account-1" || hash == cookies[0].Value || r.expires != begun.EndsAt() {
			t.Errorf("row %q %+v", hash, r)
		}
		// The token's hash is no token.
		if _, err := m.Find(ctx, request(http.Cookie{Name: "__Host-toldonce", Value: hash})); !errors.Is(err, ErrNone) {
			t.Errorf("a stolen row opens a session: %v", err)
		}
	}
	found, err := m.Find(ctx, request(cookies[0]))
	if err != nil || found.ID != begun.ID || found.Account != "account-1" || !found.MFA {
		t.Fatalf("%+v %v", found, err)
	}
	// Activity is written at most once a minute.
	now = now.Add(30 * time.Second)
	if err := m.Touch(&found); err != nil || found.Active != begun.Active {
		t.Errorf("%+v %v", found, err)
	}
	now = now.Add(time.Hour)
	if _, err := m.Find(ctx, request(cookies[0])); !errors.Is(err, ErrLocked) || !errors.Is(err, evidence.ErrUnauthenticated) {
		t.Errorf("after an idle hour: %v", err)
	}
	// A login over a locked session replaces it.
	_, again, err := m.Begin(ctx, request(cookies[0]), "account-1", true)
	if err != nil || len(store.rows) != 1 || again[0].Value == cookies[0].Value {
		t.Errorf("%v, %d rows", err, len(store.rows))
	}
	now = now.Add(Lifetime + time.Second)
	if _, err := m.Find(ctx, request(again[0])); !errors.Is(err, ErrNone) {
		t.Errorf("after a day's work: %v", err)
	}
	// The next login removes what is over.
	if _, _, err := m.Begin(ctx, request(), "account-2", true); err != nil || len(store.rows) != 1 {
		t.Errorf("%v, %d rows", err, len(store.rows))
	}
}

// A store that does not answer is no reason to say that nobody is signed in.
func TestStoreFails(t *testing.T) {
	ctx := context.Background()
	store := &memory{rows: map[string]row{}}
	m := New(store, time.Now, false)
	_, cookies, err := m.Begin(ctx, request(), "account", true)
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.Find(ctx, request(cookies[0]))
	if err != nil {
		t.Fatal(err)
	}
	store.fail = evidence.ErrUnavailable
	if _, err := m.Find(ctx, request(cookies[0])); !errors.Is(err, evidence.ErrUnavailable) || errors.Is(err, ErrNone) {
		t.Errorf("find: %v", err)
	}
	if _, err := m.End(ctx, request(cookies[0])); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("end: %v", err)
	}
	if _, _, err := m.Begin(ctx, request(), "account", true); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("begin: %v", err)
	}
	found.Active -= evidence.Instant((2 * time.Minute).Microseconds())
	if err := m.Touch(&found); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("touch: %v", err)
	}
}

// Damaged rows are an error, never a session.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"deadline":1,"values":{"id":"x"}}`))
	f.Add([]byte(`{"values":{"started":"-1","active":"99999999999999999999"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, values, err := codec{}.Decode(data)
		if err != nil {
			return
		}
		for _, v := range values {
			if _, ok := v.(string); !ok {
				t.Errorf("%T in %s", v, data)
			}
		}
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	m := &memory{rows: map[string]row{}}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	manager := New(m, func() time.Time { return now }, true)
	mine, theirs := evidence.NewID(), evidence.NewID()
	begin := func(account evidence.ID) (Session, []http.Cookie) {
		t.Helper()
		s, cookies, err := manager.Begin(t.Context(), request(), account, true)
		if err != nil {
			t.Fatal(err)
		}
		return s, cookies
	}
	first, cookies := begin(mine)
	now = now.Add(time.Minute)
	second, _ := begin(mine)
	other, _ := begin(theirs)
	list, err := manager.Sessions(t.Context(), mine)
	if err != nil || len(list) != 2 || list[0].ID != second.ID || list[1].ID != first.ID || !list[1].MFA || list[1].Started != first.Started {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := manager.EndOf(t.Context(), mine, other.ID, custody.Entry{}); !errors.Is(err, evidence.ErrNotFound) {
		t.Errorf("somebody else's session by one's own account: %v", err)
	}
	if err := manager.EndOf(t.Context(), mine, first.ID, custody.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, err := manager.Find(t.Context(), request(cookies...)); !errors.Is(err, ErrNone) {
		t.Errorf("an ended session: %v", err)
	}
	now = now.Add(Lifetime)
	if list, err := manager.Sessions(t.Context(), mine); err != nil || len(list) != 0 {
		t.Errorf("sessions that are over: %+v, %v", list, err)
	}
}
