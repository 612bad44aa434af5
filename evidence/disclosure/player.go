package disclosure

import (
	_ "embed"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"bytes"
)

//go:embed player.tmpl
var playerText string

var playerTemplate = template.Must(template.New("player").Parse(playerText))

// pair is a picture with the sound of the same source, part and time; one of them
// may be missing.
type pair struct {
	Label, Video, Audio string
	// Delay is how much later the sound begins than the picture, in seconds.
	Delay float64
	// VideoBegan and AudioBegan are where media time begins, in seconds: some
	// browsers count from there, others from 0.
	VideoBegan, AudioBegan float64
}

// began is where the media time of a file begins, in seconds.
func (f MediaFile) began() float64 {
	at, err := strconv.ParseUint(f.DecodeTime, 16, 64)
	if err != nil || f.Track.Timescale < 1 {
		return 0 // an init; leaves were checked when they were sealed
	}
	return float64(at) / float64(f.Track.Timescale)
}

// player is a page that plays the media from a disc, with no network and no
// program but a browser. It names no person.
func player(media []MediaFile) []byte {
	var pairs []pair
	at := map[string]int{}
	starts := map[string]MediaFile{}
	for _, f := range media {
		if f.Part == 0 {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(f.Name, "data/media/"), ".mp4")
		base, rest, _ := strings.Cut(name, "-"+string(f.Track.Kind))
		key := base + fmt.Sprint("-part", f.Part)
		i, ok := at[key]
		if !ok || string(f.Track.Kind) == "video" && pairs[i].Video != "" || string(f.Track.Kind) == "audio" && pairs[i].Audio != "" || strings.Contains(rest, "-2-") {
			i = len(pairs)
			at[key] = i
			pairs = append(pairs, pair{Label: fmt.Sprintf("%s · %d · %s–%s", base, f.Part, clock(f.Start), clock(f.End))})
			starts[key] = f
		}
		if f.Track.Kind == "video" {
			pairs[i].Video, pairs[i].VideoBegan = f.Name, f.began()
		} else {
			pairs[i].Audio, pairs[i].AudioBegan = f.Name, f.began()
		}
		if pairs[i].Video != "" && pairs[i].Audio != "" {
			first := starts[key]
			pairs[i].Delay = (f.Start - first.Start).Duration().Seconds()
			if first.Track.Kind == "audio" {
				pairs[i].Delay = -pairs[i].Delay
			}
		}
	}
	var out bytes.Buffer
	if err := playerTemplate.Execute(&out, pairs); err != nil {
		panic(fmt.Sprintf("disclosure: player: %v", err)) // of plain values into memory: a mistake in the template
	}
	return out.Bytes()
}
