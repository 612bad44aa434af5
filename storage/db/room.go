package db

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/people"
)

const roomCheckColumns = `id, agency, room_id, private, furniture, sound, whole_room, no_symbols, note, checked_by, checked_at`

// SaveRoomCheck implements people.Store.
func (s *Store) SaveRoomCheck(ctx context.Context, c people.RoomCheck, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO room_check (`+roomCheckColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			c.ID, c.Agency, c.Room, c.Private, c.Furniture, c.Sound, c.WholeRoom, c.NoSymbols, c.Note, c.By, c.At))
	})
}

// RoomChecks implements people.Store.
func (s *Store) RoomChecks(ctx context.Context) (map[evidence.ID]people.RoomCheck, error) {
	rows, err := s.query(ctx, `SELECT `+roomCheckColumns+` FROM room_check c WHERE NOT EXISTS (SELECT 1 FROM room_check n WHERE n.room_id = c.room_id AND n.id > c.id)`)
	list, err := collect(rows, err, func(scan func(...any) error) (c people.RoomCheck, err error) {
		err = scan(&c.ID, &c.Agency, &c.Room, &c.Private, &c.Furniture, &c.Sound, &c.WholeRoom, &c.NoSymbols, &c.Note, &c.By, &c.At)
		return c, err
	})
	out := make(map[evidence.ID]people.RoomCheck, len(list))
	for _, c := range list {
		out[c.Room] = c
	}
	return out, err
}

// RoomAssigned implements people.Store.
func (s *Store) RoomAssigned(ctx context.Context, room evidence.ID) (assigned bool, err error) {
	var n int64
	err = s.row(ctx, `SELECT COUNT(*) FROM interview WHERE room_id = $1 AND state NOT IN ('sealed', 'cancelled')`, room).Scan(&n)
	return n > 0, err
}

const rehearsalColumns = `id, agency, room_id, holds, segments, made_by, made_at`

// SaveRehearsal implements people.Store.
func (s *Store) SaveRehearsal(ctx context.Context, r people.Rehearsal, entry custody.Entry) error {
	return s.write(ctx, []custody.Entry{entry}, func(tx *tx) error {
		return once(tx.exec(ctx, `INSERT INTO room_rehearsal (`+rehearsalColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			r.ID, r.Agency, r.Room, r.Holds, r.Segments, r.By, r.At))
	})
}

// Rehearsals implements people.Store.
func (s *Store) Rehearsals(ctx context.Context) (map[evidence.ID]people.Rehearsal, error) {
	rows, err := s.query(ctx, `SELECT `+rehearsalColumns+` FROM room_rehearsal r WHERE NOT EXISTS (SELECT 1 FROM room_rehearsal n WHERE n.room_id = r.room_id AND n.id > r.id)`)
	list, err := collect(rows, err, func(scan func(...any) error) (r people.Rehearsal, err error) {
		err = scan(&r.ID, &r.Agency, &r.Room, &r.Holds, &r.Segments, &r.By, &r.At)
		return r, err
	})
	out := make(map[evidence.ID]people.Rehearsal, len(list))
	for _, r := range list {
		out[r.Room] = r
	}
	return out, err
}
