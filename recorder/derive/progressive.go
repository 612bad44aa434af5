package derive

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/toldonce/toldonce/evidence"
)

// progressive turns the fragmented MP4 that comes out of a pipe into one whose index
// stands before the media (ISO/IEC 14496-12), which every player of the last twenty
// years begins to play at once.
func progressive(fragmented []byte) ([]byte, error) {
	wrong := func(err error) error { return fmt.Errorf("the encoded file: %w: %v", evidence.ErrInvalid, err) }
	f, err := mp4.DecodeFile(bytes.NewReader(fragmented))
	if err != nil {
		return nil, wrong(err)
	}
	if f.Init == nil || f.Init.Moov == nil || len(f.Segments) == 0 {
		return nil, wrong(fmt.Errorf("it has no fragments"))
	}
	moov := f.Init.Moov
	tables := map[uint32]*table{}
	for _, trak := range moov.Traks {
		tables[trak.Tkhd.TrackID] = newTable()
	}
	var media bytes.Buffer
	for _, s := range f.Segments {
		for _, fragment := range s.Fragments {
			for _, traf := range fragment.Moof.Trafs {
				id := traf.Tfhd.TrackID
				t := tables[id]
				if t == nil {
					return nil, wrong(fmt.Errorf("a fragment of an unknown track"))
				}
				trex, ok := moov.Mvex.GetTrex(id)
				if !ok {
					return nil, wrong(fmt.Errorf("a track without defaults"))
				}
				samples, err := fragment.GetFullSamples(trex)
				if err != nil {
					return nil, wrong(err)
				}
				if err := t.chunk(uint32(media.Len()), samples); err != nil {
					return nil, wrong(err)
				}
				for _, sample := range samples {
					media.Write(sample.Data)
				}
			}
		}
	}
	moov.Mvex = nil
	moov.Children = deleteBox(moov.Children, "mvex")
	for _, trak := range moov.Traks {
		if err := tables[trak.Tkhd.TrackID].fill(moov, trak); err != nil {
			return nil, wrong(err)
		}
	}
	ftyp := mp4.NewFtyp("isom", 0x200, []string{"isom", "iso2", "avc1", "mp41"})
	base := ftyp.Size() + moov.Size() + 8
	if base+uint64(media.Len()) > 1<<32-1 {
		return nil, wrong(fmt.Errorf("it is larger than 4 GiB"))
	}
	for _, t := range tables {
		for i := range t.stco.ChunkOffset {
			t.stco.ChunkOffset[i] += uint32(base)
		}
	}
	var out bytes.Buffer
	out.Grow(int(base) + media.Len())
	for _, box := range []mp4.Box{ftyp, moov, &mp4.MdatBox{Data: media.Bytes()}} {
		if err := box.Encode(&out); err != nil {
			return nil, wrong(err)
		}
	}
	return out.Bytes(), nil
}

func deleteBox(children []mp4.Box, kind string) []mp4.Box {
	out := children[:0]
	for _, c := range children {
		if c.Type() != kind {
			out = append(out, c)
		}
	}
	return out
}

// table gathers the sample table of a track.
type table struct {
	stts     mp4.SttsBox
	stss     mp4.StssBox
	stsz     mp4.StszBox
	stsc     mp4.StscBox
	stco     mp4.StcoBox
	samples  uint32
	duration uint64
	allKeys  bool
}

func newTable() *table { return &table{allKeys: true} }

func (t *table) chunk(offset uint32, samples []mp4.FullSample) error {
	if len(samples) == 0 {
		return nil
	}
	t.stco.ChunkOffset = append(t.stco.ChunkOffset, offset)
	if err := t.stsc.AddEntry(uint32(len(t.stco.ChunkOffset)), uint32(len(samples)), 1); err != nil {
		return err
	}
	for _, s := range samples {
		t.samples++
		t.duration += uint64(s.Dur)
		t.stsz.SampleSize = append(t.stsz.SampleSize, uint32(len(s.Data)))
		if n := len(t.stts.SampleTimeDelta); n > 0 && t.stts.SampleTimeDelta[n-1] == s.Dur {
			t.stts.SampleCount[n-1]++
		} else {
			t.stts.SampleCount, t.stts.SampleTimeDelta = append(t.stts.SampleCount, 1), append(t.stts.SampleTimeDelta, s.Dur)
		}
		if s.CompositionTimeOffset != 0 {
			return fmt.Errorf("a picture is shown out of order")
		}
		if s.IsSync() {
			t.stss.SampleNumber = append(t.stss.SampleNumber, t.samples)
		} else {
			t.allKeys = false
		}
	}
	return nil
}

// fill puts the table into a track of the index.
func (t *table) fill(moov *mp4.MoovBox, trak *mp4.TrakBox) error {
	stbl := trak.Mdia.Minf.Stbl
	if stbl.Stsd == nil || t.samples == 0 {
		return fmt.Errorf("a track has nothing in it")
	}
	t.stsz.SampleNumber = t.samples
	fresh := mp4.NewStblBox()
	fresh.AddChild(stbl.Stsd)
	fresh.AddChild(&t.stts)
	if !t.allKeys {
		fresh.AddChild(&t.stss)
	}
	fresh.AddChild(&t.stsc)
	fresh.AddChild(&t.stsz)
	fresh.AddChild(&t.stco)
	minf := trak.Mdia.Minf
	minf.Stbl = fresh
	for i, c := range minf.Children {
		if c.Type() == "stbl" {
			minf.Children[i] = fresh
		}
	}
	trak.Mdia.Mdhd.Duration = t.duration
	inMovie := t.duration * uint64(moov.Mvhd.Timescale) / uint64(trak.Mdia.Mdhd.Timescale)
	trak.Tkhd.Duration = inMovie
	moov.Mvhd.Duration = max(moov.Mvhd.Duration, inMovie)
	return nil
}
