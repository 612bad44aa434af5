package derive

import (
	"math"
	"math/rand/v2"
)

const (
	soundRate = 48000
	bands     = 16
	lowest    = 120.0  // Hz, of the first band
	highest   = 7000.0 // of the last
	smooth    = 25.0   // Hz: how fast a band's loudness may change
)

// biquad is a second-order filter.
type biquad struct{ b0, b1, b2, a1, a2, z1, z2 float64 }

func (f *biquad) step(x float64) float64 {
	y := f.b0*x + f.z1
	f.z1, f.z2 = f.b1*x-f.a1*y+f.z2, f.b2*x-f.a2*y
	return y
}

// tune makes it a band-pass around a frequency (R. Bristow-Johnson's cookbook), and
// keeps what it holds.
func (f *biquad) tune(hz, q float64) {
	w := 2 * math.Pi * hz / soundRate
	alpha := math.Sin(w) / (2 * q)
	a0 := 1 + alpha
	f.b0, f.b1, f.b2, f.a1, f.a2 = alpha/a0, 0, -alpha/a0, -2*math.Cos(w)/a0, (1-alpha)/a0
}

// disguise is a vocoder with noise for a voice. It belongs to one goroutine.
type disguise struct {
	listen, speak [bands][2]biquad
	level         [bands]float64
	decay         float64
	warp          float64 // by which the bands are moved now
	random        *rand.Rand
	count         int
}

// newDisguise takes its randomness from a generator that nobody keeps.
func newDisguise(random *rand.Rand) *disguise {
	d := &disguise{decay: math.Exp(-2 * math.Pi * smooth / soundRate), random: random, warp: 0.85 + 0.3*random.Float64()}
	for i := range bands {
		for k := range 2 {
			d.listen[i][k].tune(center(i), sharp)
		}
	}
	d.retune()
	return d
}

// sharp is the quality of a band: neighbours meet at half their power.
var sharp = 1 / (math.Pow(highest/lowest, 1.0/(bands-1)) - 1) * 1.2

func center(i int) float64 { return lowest * math.Pow(highest/lowest, float64(i)/(bands-1)) }

// retune moves the bands that speak; the amount wanders.
func (d *disguise) retune() {
	d.warp = min(1.2, max(0.8, d.warp+(d.random.Float64()-0.5)*0.04))
	for i := range bands {
		for k := range 2 {
			d.speak[i][k].tune(center(i)*d.warp, sharp)
		}
	}
}

// alter replaces samples by what the disguise says.
func (d *disguise) alter(samples []float64) {
	for i, x := range samples {
		if d.count++; d.count%(soundRate/10) == 0 {
			d.retune()
		}
		noise := d.random.Float64()*2 - 1
		y := 0.0
		for b := range bands {
			heard := d.listen[b][1].step(d.listen[b][0].step(x))
			d.level[b] = d.level[b]*d.decay + heard*heard*(1-d.decay)
			y += math.Sqrt(d.level[b]) * d.speak[b][1].step(d.speak[b][0].step(noise))
		}
		samples[i] = max(-1, min(1, y*9))
	}
}
