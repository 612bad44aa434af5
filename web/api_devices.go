package web

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
)

// listDevices lists the browsers that record in a room.
func (s *Server) listDevices(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[list[RoomDevice]], error) {
	devices, err := s.people.Devices(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return listErr(devices, func(d evidence.Device) (RoomDevice, error) { return s.roomDevice(ctx, d) })
}

// revokeDevice ends one of them.
func (s *Server) revokeDevice(ctx context.Context, a evidence.Actor, in *revokeDeviceInput) (*answer[RoomDevice], error) {
	d, err := s.people.RevokeDevice(ctx, a, in.ID, in.Device, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.roomDevice(ctx, d))
}

func (s *Server) roomDevice(ctx context.Context, d evidence.Device) (RoomDevice, error) {
	by, err := s.accountRefOrNone(ctx, d.EnrolledBy)
	return RoomDevice{ID: d.ID, KeyID: d.KeyID, EnrolledAt: d.EnrolledAt.Time(), EnrolledBy: by, RevokedAt: when(d.RevokedAt)}, err
}
