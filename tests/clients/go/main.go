// The command passant-clients runs go-oidc with golang.org/x/oauth2, as their documentation uses them, from discovery to
// logout. It prints what it did as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type claims map[string]any

type report struct {
	Issuer           string            `json:"issuer"`
	MixedUp          map[string]string `json:"mixed_up"`
	IDToken          claims            `json:"id_token"`
	UserInfo         claims            `json:"userinfo"`
	Rotated          bool              `json:"rotated"`
	RefreshedIDToken claims            `json:"refreshed_id_token"`
	AccessToken      claims            `json:"access_token"`
	Revoked          *revoked          `json:"revoked,omitempty"`
	LoggedOut        *loggedOut        `json:"logged_out,omitempty"`
}

type revoked struct {
	Refresh  string `json:"refresh"`
	UserInfo int    `json:"userinfo"`
}

type loggedOut struct {
	StateReturned bool   `json:"state_returned"`
	PromptNone    string `json:"prompt_none"`
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done, err := run(ctx)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(done)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// endpoints are those of the metadata that go-oidc leaves to its caller.
type endpoints struct {
	Revocation string `json:"revocation_endpoint"`
	EndSession string `json:"end_session_endpoint"`
}

func run(ctx context.Context) (*report, error) {
	issuer, resource, redirectURI := os.Getenv("ISSUER"), os.Getenv("RESOURCE"), os.Getenv("REDIRECT_URI")
	browser, err := newBrowser(map[string]string{"username": os.Getenv("LOGIN_NAME"), "password": os.Getenv("LOGIN_PASSWORD")})
	if err != nil {
		return nil, err
	}
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	var metadata endpoints
	if err := provider.Claims(&metadata); err != nil {
		return nil, err
	}
	config := &oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		RedirectURL:  redirectURI,
		Endpoint:     provider.Endpoint(),
		Scopes:       []string{os.Getenv("SCOPE")},
	}

	const state, nonce = "the state of one request", "the nonce of one request"
	verifier := oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{
		oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("resource", resource),
	}
	callback, err := browser.visit(config.AuthCodeURL(state, options...), redirectURI)
	if err != nil {
		return nil, fmt.Errorf("signing in: %w", err)
	}
	if answer := callback.Query(); answer.Get("state") != state || answer.Get("iss") != issuer {
		return nil, fmt.Errorf("the answer is not to this request: %s", callback)
	}
	token, err := config.Exchange(ctx, callback.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("redeeming the code: %w", err)
	}
	idTokens := provider.Verifier(&oidc.Config{ClientID: config.ClientID})
	idToken, err := verifiedIDToken(ctx, idTokens, token)
	if err != nil {
		return nil, fmt.Errorf("the ID token: %w", err)
	}
	if idToken.Nonce != nonce {
		return nil, fmt.Errorf("the nonce is %q", idToken.Nonce)
	}
	userInfo, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}

	refreshed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		return nil, fmt.Errorf("refreshing: %w", err)
	}
	refreshedIDToken, err := verifiedIDToken(ctx, idTokens, refreshed)
	if err != nil {
		return nil, fmt.Errorf("the refreshed ID token: %w", err)
	}
	accessToken, err := provider.Verifier(&oidc.Config{ClientID: resource}).Verify(ctx, refreshed.AccessToken)
	if err != nil {
		return nil, fmt.Errorf("the access token: %w", err)
	}
	_, wrong := idTokens.Verify(ctx, refreshed.AccessToken)
	if wrong == nil {
		return nil, errors.New("an access token passed for an ID token of the client")
	}

	done := &report{
		Issuer:  idToken.Issuer,
		MixedUp: map[string]string{"aud": wrong.Error()},
		Rotated: refreshed.RefreshToken != token.RefreshToken,
	}
	for _, error := range []error{
		idToken.Claims(&done.IDToken), userInfo.Claims(&done.UserInfo), refreshedIDToken.Claims(&done.RefreshedIDToken),
		accessToken.Claims(&done.AccessToken),
	} {
		if error != nil {
			return nil, error
		}
	}
	if metadata.Revocation != "" {
		if done.Revoked, err = revoke(ctx, metadata.Revocation, provider, config, refreshed); err != nil {
			return nil, fmt.Errorf("revoking: %w", err)
		}
	}
	if metadata.EndSession != "" {
		silent := config.AuthCodeURL(state, append(options, oauth2.SetAuthURLParam("prompt", "none"))...)
		if done.LoggedOut, err = logOut(metadata.EndSession, browser, token, silent); err != nil {
			return nil, fmt.Errorf("logging out: %w", err)
		}
	}
	return done, nil
}

// verifiedIDToken checks an ID token and, by at_hash, that the access token beside it belongs to it.
func verifiedIDToken(ctx context.Context, verifier *oidc.IDTokenVerifier, token *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	idToken, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	return idToken, idToken.VerifyAccessToken(token.AccessToken)
}

func revoke(
	ctx context.Context, endpoint string, provider *oidc.Provider, config *oauth2.Config, token *oauth2.Token,
) (*revoked, error) {
	form := url.Values{"token": {token.RefreshToken}, "token_type_hint": {"refresh_token"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(config.ClientID), url.QueryEscape(config.ClientSecret))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	_, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return nil, fmt.Errorf("refreshing after it: %w", err)
	}
	_, err = provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err == nil || !strings.HasPrefix(err.Error(), "401 ") {
		return nil, fmt.Errorf("userinfo after it: %w", err)
	}
	return &revoked{refused.ErrorCode, http.StatusUnauthorized}, nil
}

func logOut(endpoint string, browser *browser, token *oauth2.Token, silent string) (*loggedOut, error) {
	const state = "the state of one farewell"
	idToken, _ := token.Extra("id_token").(string)
	farewell := url.Values{
		"id_token_hint":            {idToken},
		"post_logout_redirect_uri": {os.Getenv("POST_LOGOUT_REDIRECT_URI")},
		"state":                    {state},
	}
	goodbye, err := browser.visit(endpoint+"?"+farewell.Encode(), os.Getenv("POST_LOGOUT_REDIRECT_URI"))
	if err != nil {
		return nil, err
	}
	answer, err := browser.visit(silent, os.Getenv("REDIRECT_URI"))
	if err != nil {
		return nil, err
	}
	return &loggedOut{goodbye.Query().Get("state") == state, answer.Query().Get("error")}, nil
}
