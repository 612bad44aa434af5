package memstore

import (
	"bytes"
	"context"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

var _ people.Store = (*Store)(nil)

func (s *Store) CreateIndexKey(_ context.Context, wrapped []byte) error {
	return s.write(nil, func() error {
		if s.indexKey != nil {
			return conflict("index key")
		}
		s.indexKey = wrapped
		return nil
	})
}

func (s *Store) IndexKey(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indexKey == nil {
		return nil, evidence.ErrMissingState
	}
	return s.indexKey, nil
}

func (s *Store) CreateAgency(_ context.Context, a people.Agency, e custody.Entry) error {
	return s.one(e, func() error {
		if _, there := s.agencies[a.ID]; there {
			return conflict("agency")
		}
		s.agencies[a.ID] = a
		return nil
	})
}

func (s *Store) Agency(_ context.Context, id evidence.ID) (people.Agency, error) {
	return get(s, s.agencies, id, "agency")
}

func (s *Store) Agencies(context.Context) ([]people.Agency, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.agencies), nil
}

func (s *Store) CreateRoom(_ context.Context, r people.Room, e custody.Entry) error {
	return s.one(e, func() error {
		for _, other := range s.rooms {
			if other.Agency == r.Agency && other.Name == r.Name {
				return conflict("room")
			}
		}
		s.rooms[r.ID] = r
		return nil
	})
}

func (s *Store) Room(_ context.Context, id evidence.ID) (people.Room, error) {
	return get(s, s.rooms, id, "room")
}

func (s *Store) Rooms(context.Context) ([]people.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.rooms), nil
}

func (s *Store) CreateAccount(_ context.Context, a people.Account, e custody.Entry) error {
	return s.one(e, func() error {
		for _, other := range s.accounts {
			if other.Login == a.Login {
				return conflict("login")
			}
		}
		s.accounts[a.ID] = a
		return nil
	})
}

func (s *Store) CreateFirstAccount(_ context.Context, agency people.Agency, a people.Account, inv people.Invitation, e custody.Entry) error {
	return s.one(e, func() error {
		if len(s.accounts) > 0 {
			return conflict("first account")
		}
		s.agencies[agency.ID], s.accounts[a.ID], s.invitations[inv.ID] = agency, a, inv
		return nil
	})
}

func (s *Store) Account(_ context.Context, id evidence.ID) (people.Account, error) {
	return get(s, s.accounts, id, "account")
}

func (s *Store) AccountByLogin(_ context.Context, login string) (people.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Login == login {
			return a, nil
		}
	}
	return people.Account{}, notFound("account")
}

func (s *Store) Accounts(context.Context) ([]people.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.accounts), nil
}

func (s *Store) ApproveAccount(_ context.Context, id, by evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		a := s.accounts[id]
		if a.State != people.Proposed || a.ProposedBy == by {
			return conflict("account")
		}
		a.State, a.ApprovedBy, a.ApprovedAt = people.Invited, by, at
		a.Version++
		s.accounts[id] = a
		return nil
	})
}

func (s *Store) DisableAccount(_ context.Context, id evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		a := s.accounts[id]
		if a.State == people.Disabled {
			return conflict("account")
		}
		a.State, a.DisabledAt = people.Disabled, at
		a.Version++
		s.accounts[id] = a
		for tid, t := range s.tokens {
			if t.Account == id && t.RevokedAt == 0 {
				t.RevokedAt = at
				s.tokens[tid] = t
			}
		}
		s.endInvitations(id)
		return nil
	})
}

func (s *Store) ProposeRecovery(_ context.Context, id, by evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		a := s.accounts[id]
		if a.State != people.Active {
			return conflict("account")
		}
		a.RecoveryBy, a.RecoveryAt = by, at
		a.Version++
		s.accounts[id] = a
		return nil
	})
}

func (s *Store) RecoverAccount(_ context.Context, id, by evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		a := s.accounts[id]
		if a.State != people.Active || a.RecoveryBy == "" || a.RecoveryBy == by {
			return conflict("account")
		}
		a.State, a.RecoveryBy, a.RecoveryAt = people.Invited, "", 0
		a.Version++
		s.accounts[id] = a
		delete(s.credentials, id)
		s.passkeys = slices.DeleteFunc(s.passkeys, func(p people.Passkey) bool { return p.Account == id })
		for tid, t := range s.tokens {
			if t.Account == id && t.RevokedAt == 0 {
				t.RevokedAt = at
				s.tokens[tid] = t
			}
		}
		s.endInvitations(id)
		return nil
	})
}

func (s *Store) endInvitations(account evidence.ID) {
	for id, inv := range s.invitations {
		if inv.Account == account && inv.UsedAt == 0 {
			delete(s.invitations, id)
		}
	}
}

func (s *Store) SaveInvitation(_ context.Context, inv people.Invitation, e custody.Entry) error {
	return s.one(e, func() error {
		s.endInvitations(inv.Account)
		s.invitations[inv.ID] = inv
		return nil
	})
}

func (s *Store) InvitationByHash(_ context.Context, hash []byte) (people.Invitation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, inv := range s.invitations {
		if bytes.Equal(inv.TokenHash, hash) {
			return inv, nil
		}
	}
	return people.Invitation{}, notFound("invitation")
}

func (s *Store) SetInvitationTOTP(_ context.Context, id evidence.ID, wrapped []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv, ok := s.invitations[id]
	if !ok {
		return nil, notFound("invitation")
	}
	if inv.TOTP == nil {
		inv.TOTP = wrapped
		s.invitations[id] = inv
	}
	return inv.TOTP, nil
}

func (s *Store) AcceptInvitation(_ context.Context, id evidence.ID, c people.Credentials, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		inv, ok := s.invitations[id]
		a := s.accounts[c.Account]
		if !ok || inv.UsedAt != 0 || a.State != people.Invited {
			return conflict("invitation")
		}
		inv.UsedAt = at
		a.State, a.ActiveAt = people.Active, at
		a.Version++
		s.invitations[id], s.accounts[a.ID], s.credentials[a.ID] = inv, a, c
		return nil
	})
}

func (s *Store) Credentials(_ context.Context, account evidence.ID) (people.Credentials, error) {
	return get(s, s.credentials, account, "credentials")
}

func (s *Store) CountAttempt(_ context.Context, keys []string, at evidence.Instant, window int64) ([]people.Attempts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]people.Attempts, len(keys))
	for i, key := range keys {
		a := s.attempts[key]
		if at-a.Since >= evidence.Instant(window) {
			a.Count, a.Since = 0, at
		}
		a.Count++
		s.attempts[key], out[i] = a, a
	}
	return out, nil
}

func (s *Store) SignedIn(_ context.Context, account evidence.ID, counter int64, pair, other string, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		c := s.credentials[account]
		if counter <= c.Counter || s.accounts[account].State != people.Active {
			return conflict("code")
		}
		c.Counter = counter
		s.credentials[account] = c
		s.endRecovery(account)
		p, o := s.attempts[pair], s.attempts[other]
		p.Count, p.LastSuccess, o.Count = 0, at, max(0, o.Count-1)
		s.attempts[pair], s.attempts[other] = p, o
		return nil
	})
}

func (s *Store) endRecovery(account evidence.ID) {
	a := s.accounts[account]
	if a.RecoveryBy == "" {
		return
	}
	a.RecoveryBy, a.RecoveryAt = "", 0
	a.Version++
	s.accounts[account] = a
}

// passkey is the index of a passkey, of one account or of any; -1: none.
func (s *Store) passkey(account evidence.ID, id []byte) int {
	return slices.IndexFunc(s.passkeys, func(p people.Passkey) bool { return bytes.Equal(p.ID, id) && (account == "" || p.Account == account) })
}

func (s *Store) SavePasskey(_ context.Context, p people.Passkey, e custody.Entry) error {
	return s.one(e, func() error {
		if s.passkey("", p.ID) >= 0 {
			return conflict("passkey")
		}
		s.passkeys = append(s.passkeys, p)
		return nil
	})
}

func (s *Store) Passkeys(_ context.Context, account evidence.ID) ([]people.Passkey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []people.Passkey
	for _, p := range s.passkeys {
		if p.Account == account {
			out = append(out, p)
		}
	}
	return out, nil
}

func (s *Store) DeletePasskey(_ context.Context, account evidence.ID, id []byte, e custody.Entry) error {
	return s.one(e, func() error {
		i := s.passkey(account, id)
		if i < 0 {
			return notFound("passkey")
		}
		s.passkeys = slices.Delete(s.passkeys, i, i+1)
		return nil
	})
}

func (s *Store) PasskeySignedIn(_ context.Context, p people.Passkey, e custody.Entry) error {
	return s.one(e, func() error {
		i := s.passkey(p.Account, p.ID)
		if i < 0 || s.accounts[p.Account].State != people.Active {
			return conflict("passkey")
		}
		s.passkeys[i].Credential, s.passkeys[i].UsedAt = p.Credential, p.UsedAt
		s.endRecovery(p.Account)
		return nil
	})
}

func (s *Store) SaveToken(_ context.Context, t people.Token, e custody.Entry) error {
	return s.one(e, func() error { s.tokens[t.ID] = t; return nil })
}

func (s *Store) TokenByHash(_ context.Context, hash []byte) (people.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if bytes.Equal(t.Hash, hash) {
			return t, nil
		}
	}
	return people.Token{}, notFound("token")
}

func (s *Store) Tokens(_ context.Context, account evidence.ID) ([]people.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []people.Token
	for _, t := range sorted(s.tokens) {
		if t.Account == account {
			out = append(out, t)
		}
	}
	slices.Reverse(out)
	return out, nil
}

func (s *Store) RevokeToken(_ context.Context, account, token evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		t, ok := s.tokens[token]
		if !ok || t.Account != account || t.RevokedAt != 0 {
			return notFound("token")
		}
		t.RevokedAt = at
		s.tokens[token] = t
		return nil
	})
}
