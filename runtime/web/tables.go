package web

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"

	"faust/runtime/control"
)

func (a *API) tables(w http.ResponseWriter, _ *http.Request) {
	t := a.cfg.Worker.Tables()
	t.Tables = list(t.Tables)
	writeJSON(w, http.StatusOK, t)
}

// key answers what a key of a table has.
func (a *API) key(w http.ResponseWriter, r *http.Request) {
	key, ok := queryBytes(w, r, "key")
	if !ok {
		return
	}
	name := params(r)["name"]
	found, err := a.cfg.Worker.Get(name, key)
	if err != nil {
		writeFailure(w, fmt.Errorf("table %s: %w", name, err))
		return
	}
	writeJSON(w, http.StatusOK, found)
}

// keys answers with a part of a partition.
func (a *API) keys(w http.ResponseWriter, r *http.Request) {
	s := control.Slicing{Table: params(r)["name"]}
	var ok bool
	if s.From, ok = queryBytes(w, r, "from"); !ok {
		return
	}
	if s.Prefix, ok = queryBytes(w, r, "prefix"); !ok {
		return
	}
	if r.URL.Query().Has("key") {
		if s.Key, ok = queryBytes(w, r, "key"); !ok {
			return
		}
	}
	var partition int
	if partition, ok = queryNumber(w, r, "partition"); !ok {
		return
	}
	s.Partition = int32(partition)
	if s.Limit, ok = queryNumber(w, r, "limit"); !ok {
		return
	}
	now, ok := queryNumber(w, r, "now")
	if !ok {
		return
	}
	s.Now = now != 0
	slice, err := a.cfg.Worker.Slice(s)
	if err != nil {
		writeFailure(w, fmt.Errorf("table %s: %w", s.Table, err))
		return
	}
	slice.Pairs = list(slice.Pairs)
	writeJSON(w, http.StatusOK, slice)
}

// queryBytes reads bytes of a query; false: it was answered.
func queryBytes(w http.ResponseWriter, r *http.Request, name string) ([]byte, bool) {
	text := r.URL.Query().Get(name)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, fmt.Sprintf("%s cannot be '%s': expected bytes as base64 for URLs, without = at the end", name, text), "")
	}
	return b, err == nil
}

// queryNumber reads a whole number of a query, 0 if it is not there; false: it was answered.
func queryNumber(w http.ResponseWriter, r *http.Request, name string) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		writeProblem(w, http.StatusBadRequest, fmt.Sprintf("%s cannot be '%s': expected a number from 0 on", name, text), "")
		return 0, false
	}
	return int(n), true
}
