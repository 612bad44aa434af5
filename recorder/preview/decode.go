package preview

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
	"github.com/toldonce/toldonce/recorder/media"
)

const (
	pictureHeight = "108"
	soundRate     = 8000 // samples a second that loudness is measured on
)

// opened is a media segment in the clear.
type opened struct {
	leaf evidence.Leaf
	body []byte
}

// pictures returns a small picture of each segment that begins with a key frame.
// All have the same initialisation segment. What cannot be decoded has none.
func pictures(ctx context.Context, tool *ffmpeg.Tool, init []byte, segments []opened) ([]Item, error) {
	in := bytes.NewBuffer(bytes.Clone(init))
	var of []int
	for i, s := range segments {
		if !s.leaf.Independent {
			continue
		}
		still, err := media.FirstFrame(s.body, uint32(len(of)+1), int64(len(of))*1000, 1000)
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", s.leaf.Index, err)
		}
		in.Write(still)
		of = append(of, i)
	}
	if len(of) == 0 {
		return nil, nil
	}
	out, err := tool.Run(ctx, in, "-f", "mp4", "-i", "pipe:0", "-an", "-fps_mode", "passthrough", "-vf", "scale=-2:"+pictureHeight,
		"-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "6", "pipe:1")
	if err != nil && !errors.Is(err, ffmpeg.ErrFailed) {
		return nil, err
	}
	files := splitJPEG(out)
	if err == nil && len(files) == len(of) {
		items := make([]Item, len(of))
		for k, i := range of {
			items[k] = Item{Index: segments[i].leaf.Index, Data: files[k]}
		}
		return items, nil
	}
	// One of them cannot be decoded, so it is not known which picture is whose.
	if len(of) == 1 {
		return nil, nil
	}
	middle := of[len(of)/2]
	first, err := pictures(ctx, tool, init, segments[:middle])
	if err != nil {
		return nil, err
	}
	second, err := pictures(ctx, tool, init, segments[middle:])
	return append(first, second...), err
}

// splitJPEG cuts concatenated JPEG files apart (ITU-T T.81 annex B). What is no
// whole JPEG ends it.
func splitJPEG(b []byte) (files [][]byte) {
	for len(b) >= 4 {
		n := lengthOfJPEG(b)
		if n == 0 {
			return files
		}
		files, b = append(files, b[:n:n]), b[n:]
	}
	return files
}

// lengthOfJPEG returns the length of the JPEG that b begins with; 0 if there is none.
func lengthOfJPEG(b []byte) int {
	if len(b) < 2 || b[0] != 0xff || b[1] != 0xd8 {
		return 0
	}
	at := 2
	for at+4 <= len(b) && b[at] == 0xff {
		marker := b[at+1]
		if marker == 0xd9 {
			return at + 2
		}
		at += 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		if marker != 0xda {
			continue
		}
		// Entropy-coded data: 0xff is followed by 0 or a restart marker in it.
		for at+1 < len(b) && (b[at] != 0xff || b[at+1] == 0 || b[at+1]&0xf8 == 0xd0) {
			at++
		}
	}
	if at+2 <= len(b) && b[at] == 0xff && b[at+1] == 0xd9 {
		return at + 2
	}
	return 0
}

// levels returns how loud each segment is. All have the same initialisation segment.
func levels(ctx context.Context, tool *ffmpeg.Tool, init []byte, segments []opened, timescale int64) ([]Item, error) {
	in := bytes.NewBuffer(bytes.Clone(init))
	for _, s := range segments {
		in.Write(s.body)
	}
	out, err := tool.Run(ctx, in, "-f", "mp4", "-i", "pipe:0", "-vn", "-ac", "1", "-ar", fmt.Sprint(soundRate), "-f", "s16le", "pipe:1")
	if errors.Is(err, ffmpeg.ErrFailed) {
		if len(segments) == 1 {
			return nil, nil
		}
		first, err := levels(ctx, tool, init, segments[:len(segments)/2], timescale)
		if err != nil {
			return nil, err
		}
		second, err := levels(ctx, tool, init, segments[len(segments)/2:], timescale)
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(segments))
	var played int64 // in units of the timescale
	for _, s := range segments {
		from := played * soundRate / timescale * 2
		played += s.leaf.Duration
		until := min(played*soundRate/timescale*2, int64(len(out)))
		if from >= until {
			break
		}
		items = append(items, Item{Index: s.leaf.Index, Data: loudness(out[from:until])})
	}
	return items, nil
}

// loudness measures 16-bit samples, each LevelStep.
func loudness(pcm []byte) []byte {
	const step = 2 * soundRate * int(LevelStep) / 1_000_000
	out := make([]byte, 0, len(pcm)/step+1)
	for len(pcm) > 0 {
		piece := pcm[:min(step, len(pcm))]
		pcm = pcm[len(piece):]
		if len(piece) < step/2 && len(out) > 0 {
			break // the rest of a step belongs to the next segment's first
		}
		var sum float64
		for i := 0; i+1 < len(piece); i += 2 {
			v := float64(int16(binary.LittleEndian.Uint16(piece[i:]))) / 32768
			sum += v * v
		}
		db := 10 * math.Log10(sum/float64(max(len(piece)/2, 1))+1e-12)
		out = append(out, byte(math.Round(max(0, min(1, (db+levelFloor)/levelFloor))*255)))
	}
	return out
}
