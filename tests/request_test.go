package tests

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
)

// request is the command `http`: it prints the status and the body of one request. With -until it asks again until the answer matches.
func request(args []string) int {
	set := flag.NewFlagSet("http", flag.ContinueOnError)
	method := set.String("X", "GET", "method")
	body := set.String("d", "", "body")
	accept := set.String("accept", "", "header Accept")
	pattern := set.String("until", "", "regexp that status and body have to match")
	if err := set.Parse(args); err != nil || set.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: http [-X METHOD] [-d BODY] [-accept TYPE] [-until REGEXP] URL")
		return 2
	}
	want, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var last string
	ask := func() bool {
		last, err = exchange(*method, set.Arg(0), *body, *accept)
		return err == nil && want.MatchString(last)
	}
	if *pattern == "" {
		ask()
	} else if !until(ask) && err == nil {
		err = fmt.Errorf("never answers %s, but", *pattern)
	}
	fmt.Println(last)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func exchange(method, url, body, accept string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s\n%s", answer.StatusCode, answer.Header.Get("Content-Type"), text), err
}
