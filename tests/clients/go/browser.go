package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// browser is one without scripts and without looks: it follows redirects, keeps cookies and fills in the issuer's forms.
type browser struct {
	client  *http.Client
	answers map[string]string
}

// newBrowser makes one that types these answers into fields, by name.
func newBrowser(answers map[string]string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{&http.Client{Jar: jar, CheckRedirect: stay, Timeout: 20 * time.Second}, answers}, nil
}

// visit opens an address, does what the pages ask, and returns the first address that begins with until.
func (b *browser) visit(address, until string) (*url.URL, error) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	for range 20 {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(request.URL.String(), until) {
			return request.URL, nil
		}
		request, err = b.next(request)
	}
	return nil, fmt.Errorf("20 pages, and none led to %s; the last is %s", until, request.URL)
}

// next sends a request and returns the one that the answer leads to.
func (b *browser) next(request *http.Request) (*http.Request, error) {
	answer, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if location, err := answer.Location(); err == nil {
		return http.NewRequest(http.MethodGet, location.String(), nil)
	}
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	form := formPattern.FindStringSubmatch(string(page))
	if form == nil {
		return nil, fmt.Errorf("no form on the page (%s) at %s:\n%s", answer.Status, request.URL, page)
	}
	fields := url.Values{}
	for _, tag := range tagPattern.FindAllString(form[2], -1) {
		if name := attribute(tag, "name"); name != "" {
			value := attribute(tag, "value")
			if answer, known := b.answers[name]; known {
				value = answer
			}
			// The last of several buttons is the one that is pressed.
			fields.Set(name, value)
		}
	}
	action, err := request.URL.Parse(form[1])
	if err != nil {
		return nil, err
	}
	post, err := http.NewRequest(http.MethodPost, action.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.Header.Set("Origin", action.Scheme+"://"+action.Host)
	return post, nil
}

func attribute(tag, name string) string {
	found := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
	if found == nil {
		return ""
	}
	return found[1]
}

var (
	formPattern = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	tagPattern  = regexp.MustCompile(`<(?:input|button)[^>]*>`)
)
