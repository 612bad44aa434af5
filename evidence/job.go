package evidence

// Job is a piece of work that survives restarts and is done by one node at a time.
type Job struct {
	ID      ID
	Agency  ID
	Kind    string            // names who does it, such as "transcript.speech"
	Key     string            // what it is about; at most one unfinished job of a kind has it
	Payload map[string]string // codes, identifiers and numbers only
	RunAt   Instant           // not before
	Attempt int               // from 1 once claimed
	Epoch   int64             // grows with each claim; set when claimed
	Until   Instant           // when another node may claim it
}
