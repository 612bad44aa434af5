package web

import (
	"context"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/people"
)

func (s *Server) listAccounts(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Account]], error) {
	accounts, err := s.people.Accounts(ctx, a)
	if err != nil {
		return nil, err
	}
	return listErr(accounts, func(one people.Account) (Account, error) { return s.account(ctx, one) })
}

func (s *Server) account(ctx context.Context, a people.Account) (out Account, err error) {
	out = Account{ID: a.ID, Login: a.Login, Name: a.Name, Role: a.Role, Language: a.Language, State: string(a.State), CreatedAt: a.CreatedAt.Time()}
	if out.Agency, err = s.agencyRef(ctx, a.Agency); err != nil {
		return out, err
	}
	if out.CreatedBy, err = s.accountRefOrNone(ctx, a.ProposedBy); err != nil {
		return out, err
	}
	if out.ApprovedBy, err = s.accountRefOrNone(ctx, a.ApprovedBy); err != nil || !a.RecoveryPending(evidence.At(s.clock())) {
		return out, err
	}
	by, err := s.accountRefOrNone(ctx, a.RecoveryBy)
	if err == nil && by != nil {
		out.Recovery = &Recovery{By: *by, At: a.RecoveryAt.Time(), Until: a.RecoveryAt.Time().Add(people.RecoveryLife)}
	}
	return out, err
}

func (s *Server) createAccount(ctx context.Context, a evidence.Actor, in *createAccountInput) (*answer[Account], error) {
	b := in.Body
	if b.AgencyID == "" {
		b.AgencyID = a.Agency
	}
	made, err := s.people.Propose(ctx, a, people.NewAccount{Agency: b.AgencyID, Login: b.Login, Name: b.Name, Role: b.Role, Language: b.Language})
	if err != nil {
		return nil, err
	}
	return answerErr(s.account(ctx, made))
}

func (s *Server) approveAccount(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Account], error) {
	changed, err := s.people.Approve(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return answerErr(s.account(ctx, changed))
}

func (s *Server) disableAccount(ctx context.Context, a evidence.Actor, in *reasonInput) (*answer[Account], error) {
	changed, err := s.people.Disable(ctx, a, in.ID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.account(ctx, changed))
}

func (s *Server) recoverAccount(ctx context.Context, a evidence.Actor, in *reasonInput) (*answer[Account], error) {
	changed, err := s.people.ProposeRecovery(ctx, a, in.ID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return answerErr(s.account(ctx, changed))
}

func (s *Server) approveRecovery(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[Account], error) {
	changed, err := s.people.ApproveRecovery(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return answerErr(s.account(ctx, changed))
}

func (s *Server) inviteAccount(ctx context.Context, a evidence.Actor, in *IDPath) (*answer[InvitationLink], error) {
	token, inv, err := s.people.Invite(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return answerOf(InvitationLink{Link: WelcomeLink(s.baseURL, token), ExpiresAt: inv.ExpiresAt.Time()}), nil
}

// WelcomeLink is the link that an invited person opens. The token stands behind
// #, so that no browser ever sends it to a server by itself, and no log holds it.
func WelcomeLink(baseURL, token string) string { return baseURL + "/welcome#" + token }

func (s *Server) directory(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[DirectoryEntry]], error) {
	accounts, err := s.people.Accounts(ctx, a)
	if err != nil {
		return nil, err
	}
	active := accounts[:0:0]
	for _, one := range accounts {
		if one.State == people.Active {
			active = append(active, one)
		}
	}
	return listErr(active, func(one people.Account) (DirectoryEntry, error) {
		agency, err := s.agencyRef(ctx, one.Agency)
		return DirectoryEntry{ID: one.ID, Login: one.Login, Name: one.Name, Role: one.Role, Agency: agency}, err
	})
}

func (s *Server) listAgencies(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Agency]], error) {
	agencies, err := s.people.Agencies(ctx, a)
	if err != nil {
		return nil, err
	}
	return answerOf(listOf(agencies, agencyOf)), nil
}

func agencyOf(a people.Agency) Agency { return Agency{ID: a.ID, Name: a.Name, Kind: string(a.Kind)} }

func (s *Server) createAgency(ctx context.Context, a evidence.Actor, in *createAgencyInput) (*answer[Agency], error) {
	made, err := s.people.CreateAgency(ctx, a, people.NewAgency{Name: in.Body.Name, Kind: people.AgencyKind(in.Body.Kind)})
	return answerErr(agencyOf(made), err)
}

func (s *Server) listRooms(ctx context.Context, a evidence.Actor, _ *nothing) (*answer[list[Room]], error) {
	rooms, err := s.people.Rooms(ctx, a)
	if err != nil {
		return nil, err
	}
	checks, err := s.people.RoomChecks(ctx, a)
	if err != nil {
		return nil, err
	}
	rehearsals, err := s.people.Rehearsals(ctx, a)
	if err != nil {
		return nil, err
	}
	return listErr(rooms, func(r people.Room) (Room, error) {
		out, err := s.room(ctx, r)
		if c, ok := checks[r.ID]; ok && err == nil {
			var check RoomCheck
			check, err = s.roomCheck(ctx, c)
			out.Check = &check
		}
		if made, ok := rehearsals[r.ID]; ok && err == nil {
			var by AccountRef
			by, err = s.accountRef(ctx, made.By)
			out.Rehearsal = &RoomRehearsal{Holds: made.Holds, By: by, At: made.At.Time()}
		}
		return out, err
	})
}

func (s *Server) room(ctx context.Context, r people.Room) (Room, error) {
	agency, err := s.agencyRef(ctx, r.Agency)
	return Room{ID: r.ID, Name: r.Name, Agency: agency, Place: r.Place, TimeZone: r.TimeZone}, err
}

func (s *Server) createRoom(ctx context.Context, a evidence.Actor, in *createRoomInput) (*answer[Room], error) {
	b := in.Body
	if b.AgencyID == "" {
		b.AgencyID = a.Agency
	}
	made, err := s.people.CreateRoom(ctx, a, people.NewRoom{Agency: b.AgencyID, Name: b.Name, Place: b.Place, TimeZone: b.TimeZone})
	if err != nil {
		return nil, err
	}
	return answerErr(s.room(ctx, made))
}
