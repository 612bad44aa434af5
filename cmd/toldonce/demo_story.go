package main

import "github.com/toldonce/toldonce/evidence"

// The people and the case of the demonstration. Nobody in it exists.

const (
	demoAgency      = "Demonstration Police Directorate"
	demoProsecution = "Demonstration Prosecution Office"
	demoAdvocates   = "Demonstration Office of Victims' Advocates"
	demoRoom        = "Interview room 1"
	demoPlace       = "Demonstration Street 1, Pristina"
	demoTimeZone    = "Europe/Belgrade"
	demoReference   = "DEMO-0117"

	// Mira worked in a hotel kitchen whose owner kept her passport and her wages.
	// Her interview is recorded and sealed. Ana, who worked there too, comes next.
	demoVictim      = "Mira"
	demoNext        = "Ana"
	demoNeeds       = "Asked on arrival: no illness, sees and hears well. Albanian is her first language; no interpreter. A break every 30 minutes because of back pain."
	demoNeedsOfNext = "Asked on arrival: wears glasses. Albanian is her first language; no interpreter. She asked for a female companion, who waits outside."
	demoLaw         = "Criminal Procedure Code, article 127"
)

// demoPerson is somebody with an account.
type demoPerson struct {
	role   evidence.Role
	login  string
	name   string
	agency string
}

// demoPeople are all accounts. The first is the administrator whom the
// installation begins with, the last a second one, without whom no account that
// reaches media could be made.
var demoPeople = []demoPerson{
	{evidence.RoleAdmin, "admin", "Luan Kelmendi", demoAgency},
	{evidence.RoleCaseManager, "case_manager", "Teuta Hoxha", demoAgency},
	{evidence.RoleInterviewer, "interviewer", "Besa Gashi", demoAgency},
	{evidence.RoleObserver, "observer", "Jelena Petrović", demoAgency},
	{evidence.RoleProsecutor, "prosecutor", "Drita Berisha", demoProsecution},
	{evidence.RoleAdvocate, "advocate", "Mirjana Nikolić", demoAdvocates},
	{evidence.RoleCustodian, "custodian", "Agron Shala", demoAgency},
	{evidence.RoleAuditor, "auditor", "Nora Morina", demoAgency},
	{evidence.RoleAdmin, "admin2", "Sanja Ilić", demoAgency},
}
