package evidence

// Check is one thing that was looked at before an interview began, or before the
// child left, and what came of it.
type Check struct {
	// Code says what was looked at, one of the Check constants.
	Code string `json:"code"`
	// Verdict is one of CheckGood, CheckLook, CheckStop and CheckUnknown.
	Verdict string `json:"verdict"`
	// Source is whose; empty: of the server, the device or the whole recording.
	Source ID `json:"source,omitempty"`
	// Value is what was measured, in the unit of the code; absent if nothing was.
	Value *int64 `json:"value,omitempty"`
}

// Verdicts of a [Check].
const (
	CheckGood    = "good"
	CheckLook    = "look"    // somebody has to look at it; it does not keep an interview from starting
	CheckStop    = "stop"    // a reason not to start
	CheckUnknown = "unknown" // could not be measured
)

// What is looked at before the start, with the unit of what is measured. The page at
// the camera measures the first seven and the device's clock, the server all else.
const (
	CheckPictureSize   = "picture-size"   // height of the picture, pixels
	CheckPictureRate   = "picture-rate"   // frames a second that the camera delivers
	CheckPictureMoves  = "picture-moves"  // seconds for which the picture stands still
	CheckPictureLight  = "picture-light"  // mean brightness, percent
	CheckSoundLevel    = "sound-level"    // loudest lately, dBFS
	CheckSoundClipping = "sound-clipping" // samples in a million that are cut off
	CheckSoundNoise    = "sound-noise"    // speech above the room's noise, dB
	CheckDeviceClock   = "device-clock"   // by how much the device's clock is ahead of the server's, ms
	CheckReceivedRate  = "received-rate"  // frames a second that reach the recorder
	CheckReceivedSound = "received-sound" // loudest of the last second, dBov
	CheckSync          = "sync"           // by how much the picture comes later than its sound, ms
	CheckServerClock   = "server-clock"   // how far the server's clock may be off against its time source, ms
	CheckDisk          = "disk-minutes"   // recording that the server's disk takes
	CheckObjects       = "object-store"   // reachable
	CheckDatabase      = "database"       // reachable
)

// Prechecks are all codes of what is looked at before the start, in the order in
// which pages show them.
var Prechecks = []string{
	CheckPictureSize, CheckPictureRate, CheckPictureMoves, CheckPictureLight, CheckSoundLevel, CheckSoundClipping, CheckSoundNoise,
	CheckReceivedRate, CheckReceivedSound, CheckSync, CheckDeviceClock, CheckServerClock, CheckDisk, CheckObjects, CheckDatabase,
}

// CheckKind is the kind of event that a verdict becomes; empty for another word.
func CheckKind(verdict string) string {
	switch verdict {
	case CheckGood:
		return EventCheckGood
	case CheckLook:
		return EventCheckLook
	case CheckStop:
		return EventCheckStop
	case CheckUnknown:
		return EventCheckUnknown
	}
	return ""
}
