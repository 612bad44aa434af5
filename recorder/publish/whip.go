package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Signal hands an SDP offer to the recorder and returns its answer, and how to
// end the session. end may be nil.
type Signal func(ctx context.Context, offer string) (answer string, end func(context.Context) error, err error)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

// WHIP signals over HTTP as RFC 9725 says. client nil means http.DefaultClient.
// A refusal's error carries the status and the problem's sentence.
func WHIP(client *http.Client, endpoint, token string) Signal {
	return whip(client, endpoint, token, nil)
}

func whip(client *http.Client, endpoint, token string, began func(session *url.URL)) Signal {
	if client == nil {
		client = http.DefaultClient
	}
	return func(ctx context.Context, offer string) (string, func(context.Context) error, error) {
		response, body, err := call(ctx, client, http.MethodPost, endpoint, token, offer)
		if err != nil {
			return "", nil, err
		}
		if response.StatusCode != http.StatusCreated {
			return "", nil, fmt.Errorf("WHIP endpoint answered %s%s", response.Status, sentence(response, body))
		}
		base, err := url.Parse(endpoint)
		if err != nil {
			return "", nil, err
		}
		location, err := base.Parse(response.Header.Get("Location"))
		if err != nil {
			return "", nil, fmt.Errorf("WHIP session address: %w", err)
		}
		if began != nil {
			began(location)
		}
		end := func(ctx context.Context) error {
			response, body, err := call(ctx, client, http.MethodDelete, location.String(), token, "")
			if err != nil {
				return err
			}
			// 404 says that the session is over already, which is what was wanted.
			if response.StatusCode >= 300 && response.StatusCode != http.StatusNotFound {
				return fmt.Errorf("ending the WHIP session: %s%s", response.Status, sentence(response, body))
			}
			return nil
		}
		return string(body), end, nil
	}
}

func call(ctx context.Context, client *http.Client, method, address, token, sdp string) (*http.Response, []byte, error) {
	var body io.Reader
	if sdp != "" {
		body = strings.NewReader(sdp)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, nil, err
	}
	if sdp != "" {
		request.Header.Set("Content-Type", "application/sdp")
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	return response, answer, nil
}

// sentence is the detail of an RFC 9457 problem, if the answer is one.
func sentence(response *http.Response, body []byte) string {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	var problem struct {
		Detail string `json:"detail"`
	}
	if kind != "application/problem+json" || json.Unmarshal(body, &problem) != nil || problem.Detail == "" {
		return ""
	}
	return ": " + problem.Detail
}
