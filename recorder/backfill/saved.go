package backfill

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/toldonce/toldonce/evidence"
)

// savedAccount is an account as a journal keeps it. Its sessions' entries are
// packed: time, device time, size, flags and hash of each.
type savedAccount struct {
	Version   int            `json:"version"` // 1
	Clock     int64          `json:"clock"`
	Clocked   bool           `json:"clocked"`
	Claimed   bool           `json:"claimed"`
	NewestAt  int64          `json:"newestAt"`
	Unclaimed int64          `json:"unclaimed"`
	Sessions  []savedSession `json:"sessions"`
}

type savedSession struct {
	ID    evidence.ID     `json:"id"`
	Next  uint32          `json:"next"`
	Last  []byte          `json:"last"`
	Ended bool            `json:"ended"`
	Began evidence.Offset `json:"began"`
	Kinds [2]savedFrames  `json:"kinds"`
}

type savedFrames struct {
	Began   bool                  `json:"began"`
	Last    int64                 `json:"last"`
	Trimmed int64                 `json:"trimmed"`
	FirstAt int64                 `json:"firstAt"`
	Newest  int64                 `json:"newest"`
	Starts  []start               `json:"starts"`
	Open    []int64               `json:"open"`
	Entries []byte                `json:"entries"`
	Seen    []byte                `json:"seen"`
	Ranges  []evidence.FrameRange `json:"ranges"`
}

const (
	packedEntry = 8 + 8 + 4 + 1 + 1 + 32
	packedSeen  = 8 + 32
)

// Save returns what the account holds but for placed segments, which are given to
// it again after [Load].
func (a *Account) Save() json.RawMessage {
	out := savedAccount{Version: 1, Clock: a.clock, Clocked: a.clocked, Claimed: a.claimed, NewestAt: a.newestAt, Unclaimed: a.unclaimed}
	for _, s := range a.sessions {
		one := savedSession{ID: s.id, Next: s.next, Last: s.last[:], Ended: s.ended, Began: s.began}
		for i, f := range s.kinds {
			k := savedFrames{Began: f.began, Last: f.last, Trimmed: f.trimmed, FirstAt: f.firstAt, Newest: f.newest, Starts: f.starts, Open: f.open, Ranges: f.ranges}
			k.Entries = make([]byte, 0, len(f.entries)*packedEntry)
			for _, e := range f.entries {
				b := binary.BigEndian.AppendUint64(k.Entries, uint64(e.time))
				b = binary.BigEndian.AppendUint64(b, uint64(e.at))
				b = binary.BigEndian.AppendUint32(b, e.size)
				key := byte(0)
				if e.key {
					key = 1
				}
				k.Entries = append(append(b, key, byte(e.state)), e.sum[:]...)
			}
			for t, sum := range f.seen {
				k.Seen = append(binary.BigEndian.AppendUint64(k.Seen, uint64(t)), sum[:]...)
			}
			one.Kinds[i] = k
		}
		out.Sessions = append(out.Sessions, one)
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(fmt.Sprintf("backfill: an account of its own types cannot be written: %v", err))
	}
	return b
}

// Load is the inverse of [Account.Save]. No session of it can go on: what it lacks
// is missing. The error wraps [evidence.ErrInvalid].
func Load(data json.RawMessage, now time.Duration) (*Account, error) {
	var in savedAccount
	if err := json.Unmarshal(data, &in); err != nil || in.Version != 1 {
		return nil, fmt.Errorf("%w: account of version %d: %v", evidence.ErrInvalid, in.Version, err)
	}
	a := &Account{clock: in.Clock, clocked: in.Clocked, claimed: in.Claimed, newestAt: in.NewestAt, unclaimed: in.Unclaimed}
	for _, saved := range in.Sessions {
		s := a.session(saved.ID)
		s.next, s.ended, s.began = saved.Next, true, saved.Began
		if len(saved.Last) != 32 {
			return nil, fmt.Errorf("%w: account: a hash", evidence.ErrInvalid)
		}
		s.last = [32]byte(saved.Last)
		for i, k := range saved.Kinds {
			f := s.kinds[i]
			f.began, f.last, f.trimmed, f.firstAt, f.newest, f.starts, f.open, f.ranges = k.Began, k.Last, k.Trimmed, k.FirstAt, k.Newest, k.Starts, k.Open, k.Ranges
			if len(k.Entries)%packedEntry != 0 || len(k.Seen)%packedSeen != 0 {
				return nil, fmt.Errorf("%w: account: torn entries", evidence.ErrInvalid)
			}
			for b := k.Entries; len(b) > 0; b = b[packedEntry:] {
				f.entries = append(f.entries, entry{
					time: int64(binary.BigEndian.Uint64(b)), at: int64(binary.BigEndian.Uint64(b[8:])), heard: now,
					size: binary.BigEndian.Uint32(b[16:]), key: b[20] == 1, state: state(b[21]), sum: [32]byte(b[22:54]),
				})
			}
			for b := k.Seen; len(b) > 0; b = b[packedSeen:] {
				f.seen[int64(binary.BigEndian.Uint64(b))] = [32]byte(b[8:40])
			}
		}
	}
	return a, nil
}

// EndAll notes that no session goes on: after a restart of the recorder.
func (a *Account) EndAll() {
	for _, s := range a.sessions {
		s.ended = true
	}
}
