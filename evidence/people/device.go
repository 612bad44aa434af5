package people

import (
	"context"
	"fmt"
	"slices"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/access"
	"github.com/toldonce/toldonce/evidence/custody"
)

// Devices lists the devices of a room: browsers that sign what their cameras make,
// and that may go on with a recording when nobody is signed in any more.
func (s *Service) Devices(ctx context.Context, actor evidence.Actor, room evidence.ID) ([]evidence.Device, error) {
	if _, err := s.roomOf(ctx, actor, access.DeviceList, room); err != nil {
		return nil, err
	}
	return s.Store.Devices(ctx, room)
}

// RevokeDevice ends a device of a room for good, such as one that was lost. From
// that moment on nothing that it signs is taken, and no token that it asked for by
// its signature counts. What it sends on a connection that is open goes on being
// recorded: a running recording is ended by those who hold the interview. reason is
// personal data.
func (s *Service) RevokeDevice(ctx context.Context, actor evidence.Actor, room, device evidence.ID, reason string) (evidence.Device, error) {
	place, err := s.roomOf(ctx, actor, access.DeviceRevoke, room)
	if err != nil {
		return evidence.Device{}, err
	}
	if reason = line(reason); reason == "" || len(reason) > 2000 {
		return evidence.Device{}, evidence.Refuse(evidence.ErrInvalid, "device.reason", "Say why the device is revoked, in at most 2000 bytes.", "")
	}
	devices, err := s.Store.Devices(ctx, room)
	if err != nil {
		return evidence.Device{}, err
	}
	i := slices.IndexFunc(devices, func(d evidence.Device) bool { return d.ID == device })
	if i < 0 {
		return evidence.Device{}, fmt.Errorf("device %s of room %s: %w", device, room, evidence.ErrNotFound)
	}
	d := devices[i]
	if d.RevokedAt != 0 {
		return evidence.Device{}, evidence.Refuse(evidence.ErrConflict, "device.revoked", "This device was revoked before.", "")
	}
	if d.RevokedAt, err = s.Store.Now(ctx); err != nil {
		return evidence.Device{}, err
	}
	entry := custody.Entry{
		Actor: actor, Action: access.DeviceRevoke, Agency: place.Agency, Subject: d.ID, Why: reason,
		Details: map[string]string{"room": string(room), "key": d.KeyID},
	}
	if err := s.Store.RevokeDevice(ctx, d.ID, d.RevokedAt, entry); err != nil {
		return evidence.Device{}, fmt.Errorf("revoking device %s: %w", d.ID, err)
	}
	return d, nil
}

// roomOf returns a room in which the actor may do something.
func (s *Service) roomOf(ctx context.Context, actor evidence.Actor, action string, id evidence.ID) (Room, error) {
	room, err := s.Store.Room(ctx, id)
	if err != nil {
		return Room{}, err
	}
	return room, s.Access.Authorize(ctx, actor, action, evidence.Resource{Kind: access.KindAgency, ID: room.Agency})
}
