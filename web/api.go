package web

import (
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// apiPrefix is where every operation of the API lives.
const apiPrefix = "/api/v1"

const apiDescription = `The interface of Told Once. Everything that the pages and the command line do goes through it.

**Who you are.** A session cookie, set by ` + "`POST /session`" + `, or a personal bearer token. Cookies are accepted from the server's own pages alone.

**Times.** Instants are RFC 3339 in UTC. Interview time is an integer of microseconds since the first start of the interview; every range is half-open.

**Errors** are RFC 9457 problem documents with a stable ` + "`code`" + ` and, for a refusal, the ` + "`reasons`" + `. What you may not know of answers exactly as what does not exist.

**Recording** uses WHIP (RFC 9725) at ` + "`/whip/{source}`" + ` with the source's own bearer token: POST an SDP offer, PATCH candidates, DELETE to end.

**Watching live** uses WHEP (draft-ietf-wish-whep) at ` + "`/whep/{source}`" + ` with the token from ` + "`POST /interviews/{id}/observation`" + `: POST an SDP offer to receive, PATCH candidates, DELETE to end.`

func newAPI(engine *gin.Engine) huma.API {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return humagin.NewWithGroup(engine, engine.Group(apiPrefix), huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Told Once", Version: "1", Description: apiDescription,
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: apiPrefix}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: "toldonce", Description: "Session cookie; named __Host-toldonce over TLS."},
					"token":   {Type: "http", Scheme: "bearer", Description: "Personal token from POST /tokens."},
				},
			},
			Security: []map[string][]string{{"session": {}}, {"token": {}}},
			Tags: []*huma.Tag{
				{Name: tagSession, Description: "Signing in, invitations, tokens."},
				{Name: tagAccounts, Description: "Accounts, agencies, rooms."},
				{Name: tagCases, Description: "Case files, their teams and people."},
				{Name: tagConsents, Description: "What was agreed to, how, and its withdrawal."},
				{Name: tagInterviews, Description: "Planning, recording, status, verification."},
				{Name: tagGrants, Description: "Who may see what, until when."},
				{Name: tagPlayback, Description: "HLS of exactly what a grant gives."},
				{Name: tagExports, Description: "Packages for a court or an expert."},
				{Name: tagLog, Description: "The append-only log of everything that was done."},
				{Name: tagEvents, Description: "Live updates."},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	})
}

// OpenAPI returns the OpenAPI 3.1 document of the API as indented JSON with a
// final newline: the same bytes for the same code.
func OpenAPI() ([]byte, error) {
	api := newAPI(gin.New())
	new(Server).register(api)
	doc, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	return append(doc, '\n'), nil
}
