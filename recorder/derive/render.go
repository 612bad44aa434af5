package derive

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"golang.org/x/sync/errgroup"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/derivative"
	"github.com/toldonce/toldonce/recorder/ffmpeg"
)

const (
	frameRate            = 25
	frame                = evidence.Offset(1_000_000 / frameRate)
	block                = soundRate / frameRate // samples of sound in the time of a frame
	mostBytes            = 512 << 20
	chunkSpan            = evidence.Offset(30_000_000)
	hole                 = evidence.Offset(300_000) // a longer gap shows nothing
	wider                = 2 * frame                // a redaction of the picture reaches further on both sides
	toneHz, toneLoudness = 1000.0, 0.08
)

// track is what is read of one track: media segments in order, and the inits.
type track struct {
	about    evidence.Track
	segments []evidence.Segment
	inits    map[int]evidence.Segment
}

// open returns a segment's plaintext.
type open func(ctx context.Context, s evidence.Segment) ([]byte, error)

// render is one derivative on its way. Its methods run on several goroutines, each of
// which owns what it makes.
type render struct {
	tool     *ffmpeg.Tool
	open     open
	plan     derivative.Plan
	mark     string
	cameras  []track // as the plan names them
	sounds   []track
	progress func(percent int)
	random   *rand.Rand // nil: nobody's
}

// size is that of the picture, both even.
func (r *render) size() (w, h int) {
	h = r.plan.Height
	w = (h * 16 / 9) &^ 1
	if r.plan.Layout == derivative.Side {
		return w, h / 2 &^ 1
	}
	return w, h
}

// Arguments of the encoder, as the derivation names them.
func encoderArgs(w, h int) []string {
	return []string{"-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", fmt.Sprintf("%dx%d", w, h), "-r", strconv.Itoa(frameRate), "-thread_queue_size", "16", "-i", "pipe:0",
		"-f", "s16le", "-ar", strconv.Itoa(soundRate), "-ac", "1", "-thread_queue_size", "16", "-i", "pipe:3",
		"-map", "0:v", "-map", "1:a", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact",
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-profile:v", "main", "-bf", "0", "-g", "50", "-pix_fmt", "yuv420p",
		"-c:a", "aac", "-b:a", "96k", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1"}
}

// frames is how many pictures the range has.
func (r *render) frames() int {
	return int((r.plan.Range.Until - r.plan.Range.From + frame - 1) / frame)
}

// run makes the file.
func (r *render) run(ctx context.Context) ([]byte, error) {
	w, h := r.size()
	group, ctx := errgroup.WithContext(ctx)
	pictures, pictureEnd := io.Pipe()
	samples, sampleEnd := io.Pipe()
	out := &limited{most: mostBytes}
	group.Go(func() error {
		span := time.Duration(r.plan.Range.Until-r.plan.Range.From) * time.Microsecond
		err := r.tool.Stream(ctx, ffmpeg.Work{In: []io.Reader{pictures, samples}, Out: out, Args: encoderArgs(w, h), Most: 10*time.Minute + 8*span})
		pictures.CloseWithError(errEnded)
		samples.CloseWithError(errEnded)
		return err
	})
	group.Go(func() error { return pictureEnd.CloseWithError(r.writePictures(ctx, pictureEnd)) })
	group.Go(func() error { return sampleEnd.CloseWithError(r.writeSound(ctx, sampleEnd)) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return progressive(out.Bytes())
}

var errEnded = errors.New("the encoder ended")

// limited is a buffer that does not grow without end.
type limited struct {
	bytes.Buffer
	most int
}

// Write implements [io.Writer].
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.most {
		return 0, fmt.Errorf("%w: the copy is larger than %d bytes", evidence.ErrInvalid, l.most)
	}
	return l.Buffer.Write(p)
}

// ReadFrom hides the buffer's own, which knows no limit.
func (l *limited) ReadFrom(in io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{l}, in)
}

// chunks cuts segments into stretches that are decoded together: of one init and part,
// without a hole, at most about half a minute, each beginning where decoding can.
func chunks(t track) [][]evidence.Segment {
	var out [][]evidence.Segment
	for _, s := range t.segments {
		n := len(out)
		if n > 0 {
			last := out[n-1][len(out[n-1])-1].Leaf
			same := last.Init == s.Leaf.Init && last.Part == s.Leaf.Part && s.Leaf.Start-last.End < hole && s.Leaf.Index == last.Index+1
			if same && (s.Leaf.End-out[n-1][0].Leaf.Start <= chunkSpan || !s.Leaf.Independent) {
				out[n-1] = append(out[n-1], s)
				continue
			}
		}
		if !s.Leaf.Independent && t.about.Kind == evidence.Video {
			continue // what it is decoded with is missing
		}
		out = append(out, []evidence.Segment{s})
	}
	return out
}

// stream is an init and its segments, opened one after another as they are read.
type stream struct {
	ctx  context.Context
	open open
	left []evidence.Segment
	now  []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.now) == 0 {
		if len(s.left) == 0 {
			return 0, io.EOF
		}
		body, err := s.open(s.ctx, s.left[0])
		if err != nil {
			return 0, err
		}
		s.now, s.left = body, s.left[1:]
	}
	n := copy(p, s.now)
	s.now = s.now[n:]
	return n, nil
}

// shot is a camera's picture at a frame; nil where there is none.
type shot = *picture

// watch decodes a camera's track and gives a picture, or nil, for each frame.
func (r *render) watch(ctx context.Context, t track, cellW, cellH int, out chan<- shot) error {
	next, all := 0, r.frames()
	give := func(p shot, until int) error {
		for ; next < min(until, all); next++ {
			select {
			case out <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	pieces := chunks(t)
	for i, piece := range pieces {
		first := int(math.Floor(float64(piece[0].Leaf.Start-r.plan.Range.From) / float64(frame)))
		end := int(math.Ceil(float64(piece[len(piece)-1].Leaf.End-r.plan.Range.From) / float64(frame)))
		if i+1 < len(pieces) {
			// What follows without a hole is of the next stretch.
			end = min(end, max(first, int(math.Floor(float64(pieces[i+1][0].Leaf.Start-r.plan.Range.From)/float64(frame)))))
		}
		if end <= 0 || first >= all {
			continue
		}
		if err := give(nil, first); err != nil {
			return err
		}
		init, err := r.open(ctx, t.inits[piece[0].Leaf.Init])
		if err != nil {
			return err
		}
		sw, sh := dimensions(init)
		fw, fh := fit(sw, sh, cellW, cellH)
		var last shot
		at := first
		frames := &cutter{size: fw * fh * 3 / 2, each: func(pix []byte) error {
			last = &picture{w: fw, h: fh, pix: pix}
			if at++; at <= next {
				return nil
			}
			return give(last, min(at, end))
		}}
		in := io.MultiReader(bytes.NewReader(init), &stream{ctx: ctx, open: r.open, left: piece})
		err = r.tool.Stream(ctx, ffmpeg.Work{In: []io.Reader{in}, Out: frames, Most: ffmpeg.MaxTime, Args: []string{"-f", "mp4", "-i", "pipe:0", "-an",
			"-vf", fmt.Sprintf("fps=%d:start_time=0,scale=%d:%d,format=yuv420p", frameRate, fw, fh), "-f", "rawvideo", "pipe:1"}})
		if err != nil && !errors.Is(err, ffmpeg.ErrFailed) {
			return err
		}
		// What cannot be decoded shows nothing; the last picture stays to the end of the stretch.
		if err == nil {
			err = give(last, end)
		} else {
			err = give(nil, end)
		}
		if err != nil {
			return err
		}
	}
	return give(nil, all)
}

// dimensions reads the size of a picture from an initialisation segment; 0 if it is not said.
func dimensions(init []byte) (int, int) {
	f, err := mp4.DecodeFile(bytes.NewReader(init))
	if err != nil || f.Init == nil || f.Init.Moov == nil || f.Init.Moov.Trak == nil || f.Init.Moov.Trak.Tkhd == nil {
		return 0, 0
	}
	return int(f.Init.Moov.Trak.Tkhd.Width >> 16), int(f.Init.Moov.Trak.Tkhd.Height >> 16)
}

// cutter gives whole pictures out of a stream of bytes.
type cutter struct {
	size int
	each func([]byte) error
	buf  []byte
}

// Write implements [io.Writer].
func (c *cutter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if c.buf == nil {
			c.buf = make([]byte, 0, c.size)
		}
		k := min(len(p), c.size-len(c.buf))
		c.buf, p = append(c.buf, p[:k]...), p[k:]
		if len(c.buf) == c.size {
			full := c.buf
			c.buf = nil
			if err := c.each(full); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// cell is where a camera stands in the picture.
type cell struct{ x, y, w, h int }

func (r *render) cells() []cell {
	w, h := r.size()
	switch r.plan.Layout {
	case derivative.Side:
		return []cell{{0, 0, w / 2 &^ 1, h}, {w / 2 &^ 1, 0, w / 2 &^ 1, h}}
	case derivative.Inset:
		iw, ih := w/4&^1, h/4&^1
		return []cell{{0, 0, w, h}, {w - iw - 16, h - ih - 16, iw, ih}}
	}
	return []cell{{0, 0, w, h}}
}

func (r *render) writePictures(ctx context.Context, out io.Writer) error {
	w, h := r.size()
	mark, err := newWatermark(r.mark, w, h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	cells := r.cells()
	shots := make([]chan shot, len(r.cameras))
	for i, t := range r.cameras {
		shots[i] = make(chan shot, 4)
		group.Go(func() error {
			defer close(shots[i])
			return r.watch(ctx, t, cells[i].w, cells[i].h, shots[i])
		})
	}
	all, told := r.frames(), -1
	for n := range all {
		p := newPicture(w, h)
		for i := range r.cameras {
			s, ok := <-shots[i]
			if !ok {
				return errors.Join(group.Wait(), ctx.Err(), errEnded)
			}
			if s != nil {
				hidden := r.hide(i, n, s)
				p.put(hidden, cells[i].x+(cells[i].w-s.w)/2&^1, cells[i].y+(cells[i].h-s.h)/2&^1)
			}
		}
		mark.lay(p, h-mark.h)
		if _, err := out.Write(p.pix); err != nil {
			return err
		}
		if percent := n * 100 / all; percent != told && r.progress != nil {
			told = percent
			r.progress(percent)
		}
	}
	cancel()
	_ = group.Wait() // all pictures are there: that the cameras were stopped is no failure
	return nil
}

// hide returns what a frame may show of a camera's picture.
func (r *render) hide(camera, n int, s shot) shot {
	at := r.plan.Range.From + evidence.Offset(n)*frame
	now := evidence.Range{From: at - wider, Until: at + frame + wider}
	out := s
	for _, red := range r.plan.Redactions {
		if !red.Range.Overlaps(now) {
			continue
		}
		if out == s { // the same picture may be shown again
			out = &picture{w: s.w, h: s.h, pix: slices.Clone(s.pix)}
		}
		switch {
		case red.Kind == derivative.Hide || red.Kind == derivative.Black:
			out.black()
		case red.Kind == derivative.BlurAll:
			cell := max(16, min(out.w, out.h)/8)
			for y := 0; y < out.h; y += cell {
				for x := 0; x < out.w; x += cell {
					out.average(x, y, min(cell, out.w-x), min(cell, out.h-y))
				}
			}
		case red.Kind == derivative.Blur && red.Camera == r.plan.Cameras[camera]:
			share := min(1, max(0, float64(at-red.Range.From)/float64(red.Range.Until-red.Range.From)))
			b := between(*red.From, *red.To, share)
			x0, y0 := b.X*out.w/1000, b.Y*out.h/1000
			x1, y1 := (b.X+b.W)*out.w/1000+1, (b.Y+b.H)*out.h/1000+1
			out.average(x0, y0, x1-x0, y1-y0)
		}
	}
	return out
}

// listen decodes a track of sound and gives a block of samples for each frame.
func (r *render) listen(ctx context.Context, t track, out chan<- []float64) error {
	total := int64(r.frames()) * block
	done := int64(0)
	buf := make([]float64, 0, block)
	push := func(v float64) error {
		if done >= total {
			return nil
		}
		done++
		if buf = append(buf, v); len(buf) < block {
			return nil
		}
		full := buf
		buf = make([]float64, 0, block)
		select {
		case out <- full:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	silence := func(until int64) error {
		for done < min(until, total) {
			if err := push(0); err != nil {
				return err
			}
		}
		return nil
	}
	place := func(o evidence.Offset) int64 { return int64(o-r.plan.Range.From) * soundRate / 1_000_000 }
	pieces := chunks(t)
	for i, piece := range pieces {
		start, end := place(piece[0].Leaf.Start), place(piece[len(piece)-1].Leaf.End)
		if i+1 < len(pieces) && pieces[i+1][0].Leaf.Start-piece[len(piece)-1].Leaf.End < hole {
			end = place(pieces[i+1][0].Leaf.Start)
		}
		if end <= 0 || start >= total {
			continue
		}
		// The segment before lets the decoder settle; what it says is cut off again.
		lead := piece
		if i > 0 && pieces[i-1][len(pieces[i-1])-1].Leaf.Index == piece[0].Leaf.Index-1 && pieces[i-1][0].Leaf.Init == piece[0].Leaf.Init && pieces[i-1][0].Leaf.Part == piece[0].Leaf.Part {
			lead = append([]evidence.Segment{pieces[i-1][len(pieces[i-1])-1]}, piece...)
		}
		init, err := r.open(ctx, t.inits[piece[0].Leaf.Init])
		if err != nil {
			return err
		}
		in := io.MultiReader(bytes.NewReader(init), &stream{ctx: ctx, open: r.open, left: lead})
		pcm, err := r.tool.Run(ctx, in, "-f", "mp4", "-i", "pipe:0", "-vn", "-af", "aresample=48000:async=1", "-ac", "1", "-f", "s16le", "pipe:1")
		if err != nil && !errors.Is(err, ffmpeg.ErrFailed) {
			return err
		}
		if err := silence(start); err != nil {
			return err
		}
		want := (end - start) * 2
		if int64(len(pcm)) > want && len(lead) > len(piece) {
			pcm = pcm[int64(len(pcm))-want:]
		}
		from := max(0, done-start) * 2
		for k := from; k+1 < min(int64(len(pcm)), want); k += 2 {
			if err := push(float64(int16(binary.LittleEndian.Uint16(pcm[k:]))) / 32768); err != nil {
				return err
			}
		}
		if err := silence(end); err != nil {
			return err
		}
	}
	return silence(total)
}

func (r *render) writeSound(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	heard := make([]chan []float64, len(r.sounds))
	for i, t := range r.sounds {
		heard[i] = make(chan []float64, 50)
		group.Go(func() error {
			defer close(heard[i])
			return r.listen(ctx, t, heard[i])
		})
	}
	random := r.random
	if random == nil {
		var seed [32]byte
		crand.Read(seed[:])
		random = rand.New(rand.NewChaCha8(seed))
	}
	voice := newDisguise(random)
	bytesOut := make([]byte, 2*block)
	for n := range r.frames() {
		mixed := make([]float64, block)
		for i := range heard {
			samples, ok := <-heard[i]
			if !ok {
				return errors.Join(group.Wait(), ctx.Err(), errEnded)
			}
			for k, v := range samples {
				mixed[k] += v
			}
		}
		r.mute(n, mixed, false)
		if r.plan.Voice {
			voice.alter(mixed)
			r.mute(n, mixed, false) // the filters ring on
		}
		r.mute(n, mixed, true)
		for k, v := range mixed {
			binary.LittleEndian.PutUint16(bytesOut[2*k:], uint16(int16(min(32767, max(-32768, v*32767)))))
		}
		if _, err := out.Write(bytesOut); err != nil {
			return err
		}
	}
	cancel()
	_ = group.Wait() // all sound is there
	return nil
}

// mute hides the sound of a frame's samples; tone puts the tone of a bleep in its place.
func (r *render) mute(n int, samples []float64, tone bool) {
	for _, red := range r.plan.Redactions {
		if !red.HidesSound() {
			continue
		}
		from := int64(red.Range.From-r.plan.Range.From-frame/2) * soundRate / 1_000_000
		until := int64(red.Range.Until-r.plan.Range.From+frame/2) * soundRate / 1_000_000
		base := int64(n) * block
		for k := max(0, from-base); k < min(int64(len(samples)), until-base); k++ {
			samples[k] = 0
			if tone && red.Kind == derivative.Bleep {
				samples[k] = toneLoudness * math.Sin(2*math.Pi*toneHz*float64(base+k)/soundRate)
			}
		}
	}
}
