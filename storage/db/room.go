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
