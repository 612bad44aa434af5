package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/casefile"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

func (s *Store) AddSheets(_ context.Context, sheets []casefile.Sheet, entries []custody.Entry) error {
	return s.write(entries, func() error {
		for _, sheet := range sheets {
			if _, taken := s.sheets[sheet.ID]; taken {
				return conflict("sheet")
			}
		}
		for _, sheet := range sheets {
			s.sheets[sheet.ID] = sheet
		}
		return nil
	})
}

func (s *Store) Sheet(_ context.Context, id evidence.ID) (casefile.Sheet, error) {
	return get(s, s.sheets, id, "sheet")
}

func (s *Store) Sheets(_ context.Context, f casefile.SheetFilter) ([]casefile.Sheet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []casefile.Sheet
	for _, sheet := range sorted(s.sheets) {
		if (f.Case == "" || sheet.Case == f.Case) && (f.Interview == "" || sheet.Interview == f.Interview) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, sheet.Kind)) && (!f.OpenOnly || sheet.Open()) {
			out = append(out, sheet)
		}
	}
	return out, nil
}

func (s *Store) CloseSheet(_ context.Context, sheet casefile.Sheet, e custody.Entry) error {
	return s.one(e, func() error {
		have := s.sheets[sheet.ID]
		if have.Version != sheet.Version || !have.Open() {
			return conflict("sheet")
		}
		have.ClosedBy, have.ClosedAt, have.Outcome = sheet.ClosedBy, sheet.ClosedAt, sheet.Outcome
		have.Version++
		s.sheets[sheet.ID] = have
		return nil
	})
}

func (s *Store) Duties(_ context.Context, account, agency evidence.ID, now evidence.Instant) ([]casefile.Sheet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []casefile.Sheet
	for _, sheet := range sorted(s.sheets) {
		held := sheet.ForAccount == "" && sheet.ForRole != "" && (slices.Contains(s.roles(account, sheet.Case, now), sheet.ForRole) ||
			sheet.ForRole == evidence.RoleCustodian && sheet.Agency == agency)
		if sheet.Open() && (sheet.ForAccount == account || held) {
			out = append(out, sheet)
		}
	}
	slices.SortStableFunc(out, func(a, b casefile.Sheet) int {
		if (a.Due == 0) != (b.Due == 0) {
			return cmp.Compare(b.Due, a.Due)
		}
		return cmp.Compare(a.Due, b.Due)
	})
	return out, nil
}

func (s *Store) SaveRoomCheck(_ context.Context, c people.RoomCheck, e custody.Entry) error {
	return s.one(e, func() error { s.roomChecks[c.Room] = c; return nil })
}

func (s *Store) RoomChecks(context.Context) (map[evidence.ID]people.RoomCheck, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.roomChecks), nil
}

// SaveDevice implements recorder.Store.
func (s *Store) SaveDevice(_ context.Context, d evidence.Device, e custody.Entry) error {
	return s.one(e, func() error {
		s.devices = append(s.devices, d)
		return nil
	})
}

// Devices implements people.Store.
func (s *Store) Devices(_ context.Context, room evidence.ID) ([]evidence.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []evidence.Device{}
	for _, d := range s.devices {
		if d.Room == room {
			out = append(out, d)
		}
	}
	return out, nil
}

// RevokeDevice implements people.Store.
func (s *Store) RevokeDevice(_ context.Context, device evidence.ID, at evidence.Instant, e custody.Entry) error {
	return s.one(e, func() error {
		for i := range s.devices {
			if d := &s.devices[i]; d.ID == device && d.RevokedAt == 0 {
				d.RevokedAt = at
				return nil
			}
		}
		return conflict("device")
	})
}
func (s *Store) RoomAssigned(_ context.Context, room evidence.ID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, iv := range s.interviews {
		if iv.Room == room && iv.State != evidence.StateSealed && iv.State != evidence.StateCancelled {
			return true, nil
		}
	}
	return false, nil
}

func (s *Store) SaveRehearsal(_ context.Context, r people.Rehearsal, e custody.Entry) error {
	return s.one(e, func() error { s.rehearsals[r.Room] = r; return nil })
}

func (s *Store) Rehearsals(context.Context) (map[evidence.ID]people.Rehearsal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.rehearsals), nil
}
