package db

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// tileHeight is the height of a tile in levels of the tree (C2SP tlog-tiles).
const tileHeight = 8

// Tile returns the first width hashes, 1 to 256, of a tile of the log: the number-th
// at that level, each the root of 256^level leaves (C2SP tlog-tiles). It returns an
// error wrapping [evidence.ErrNotFound] for what the log does not have.
func (s *Store) Tile(ctx context.Context, level int, number int64, width int) ([]custody.Hash, error) {
	head, err := s.LogHead(ctx)
	if err != nil {
		return nil, err
	}
	whole := int64(math.MaxInt64)
	if level >= 0 && level*tileHeight < 63 {
		whole = head.Size >> (level * tileHeight) // hashes that there are at the level
	}
	first := number << tileHeight
	if level < 0 || level > 7 || number < 0 || number > head.Size || width < 1 || width > 1<<tileHeight || first+int64(width) > whole {
		return nil, fmt.Errorf("tile: %w", evidence.ErrNotFound)
	}
	indexes := make([]int64, width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(level*tileHeight, first+int64(i))
	}
	return hashReader(ctx, s).ReadHashes(indexes)
}

// Leaves returns the canonical bytes of count entries, 1 to 256, from position from
// on. It returns an error wrapping [evidence.ErrNotFound] for what the log does not
// have.
func (s *Store) Leaves(ctx context.Context, from int64, count int) ([][]byte, error) {
	if from < 0 || count < 1 || count > 1<<tileHeight {
		return nil, fmt.Errorf("entries: %w", evidence.ErrNotFound)
	}
	rows, err := s.query(ctx, `SELECT leaf FROM custody_entry WHERE position >= $1 AND position < $2 ORDER BY position`, from, from+int64(count))
	out, err := collect(rows, err, func(scan func(...any) error) (leaf []byte, err error) { return leaf, scan(&leaf) })
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	if len(out) != count {
		return nil, fmt.Errorf("entries: %w", evidence.ErrNotFound)
	}
	return out, nil
}
