package recorder

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
	"github.com/toldonce/toldonce/evidence/envelope"
	"github.com/toldonce/toldonce/recorder/ingest"
)

// Config is what a [Recorder] is made of. Fields without a stated default must
// be set.
type Config struct {
	Store   Store
	Objects Objects
	Keys    envelope.Keyring
	Seal    Sealer
	Gate    Gate
	Facts   Facts
	// Checkpoints signs checkpoints of running recordings, which are pushed off the
	// host every 10 s; nil: none are made. Witnesses are asked to cosign them.
	Checkpoints CheckpointSigner
	Witnesses   []custody.Remote
	Clock       evidence.Clock // default time.Now

	// SpoolDir holds the journals; one process at a time uses it.
	SpoolDir string
	// Reserve is how many bytes of disk are kept allocated for recording on
	// when the disk is full. 0 keeps none.
	Reserve int64
	// Limit is how many bytes of disk the journals and the reserve may take
	// together: beyond it the disk counts as full. 0: what the disk has.
	Limit int64
	// Backlog bounds, for each recording, the bytes of captured frames, and again
	// those of segments, that wait in memory while the disk takes nothing. What
	// comes beyond it is a gap of cause "storage-full". Default 64 MiB.
	Backlog int64
	// Retention is how long the object store must keep each object from when
	// it is written. 0 asks for none.
	Retention time.Duration

	// UDP carries all media of all sources; the recorder raises its buffers
	// and closes it. TCP accepts the same over ICE-TCP (RFC 6544); nil: none.
	UDP net.PacketConn
	TCP net.Listener
	// PublicIPs are advertised in place of the addresses of UDP and TCP, for a
	// server behind address translation. Empty: the addresses as they are.
	PublicIPs []netip.Addr
	// Ingest, if set, takes sources in place of UDP and TCP, which are then not looked
	// at: another recorder's, which closes it. See [Recorder.Ingest].
	Ingest *ingest.Server

	// RelayUDP and RelayTCP are where an embedded TURN server listens for peers whose
	// network lets nothing else through; the recorder closes them. nil: none. RelayHost
	// is under which name they reach it.
	RelayUDP  net.PacketConn
	RelayTCP  net.Listener
	RelayHost string

	// Software is the program and version that the manifest names.
	Software string
	Logger   *slog.Logger // default: discards
}
