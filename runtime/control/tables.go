package control

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
)

// Tables are the tables of an app as one worker knows them.
type Tables struct {
	Tables []Table `json:"tables"`
	Bytes  int64   `json:"bytes"` // that they take on this worker's disk
}

// Table is a table and where its partitions are.
type Table struct {
	Name       string  `json:"name"`
	Partitions []Shard `json:"partitions"` // all, in order; none: nobody writes the table, or it is not known yet
}

// Place says where a partition of a table is.
type Place struct {
	Partition int32  `json:"partition"` // -1: in none
	Here      bool   `json:"here"`
	URL       string `json:"url,omitempty"`     // of the worker that has it, if that is another one
	Problem   string `json:"problem,omitempty"` // why nobody can be asked for the moment
}

// Shard is a partition of a table.
type Shard struct {
	Place
	Keys int  `json:"keys"`           // -1: nobody counted them, or it is elsewhere
	Copy bool `json:"copy,omitempty"` // this worker keeps a copy of it
}

// Found is what a key has. If its partition is not here, that says where.
type Found struct {
	Place
	Found bool   `json:"found"`
	Value []byte `json:"value,omitempty"` // of a table of sets there is none: Slice gives the members
}

// Pair is a key and its value, or a key and one member of its set, as bytes of the table's types.
type Pair struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// Slice is a part of a partition, in the order of the keys' and the members' bytes. If the partition is not here, that says where.
type Slice struct {
	Place
	Pairs []Pair `json:"pairs"`
	Next  []byte `json:"next,omitempty"` // where the next part begins; nil: there is none
}

// Slicing says which part of a partition is wanted.
type Slicing struct {
	Table     string
	Partition int32
	From      []byte // what Next of the part before said; nil: from the beginning
	Prefix    []byte // of the keys
	Key       []byte // of a table of sets: only the members of this key; nil: of all
	Now       bool   // of a table with windows only the one that reading looks into; the keys of all such pairs begin with the window's start, in eight bytes
	Limit     int    // pairs at most; 0: a hundred. There may be fewer although there are more to come
}

// Tables asks for the tables and where their partitions are.
func (c *Client) Tables(ctx context.Context) (t Tables, err error) {
	return t, c.call(ctx, http.MethodGet, "/tables", nil, &t)
}

// Get asks what a key has. ErrUnknown: there is no such table.
func (c *Client) Get(ctx context.Context, table string, key []byte) (f Found, err error) {
	err = c.call(ctx, http.MethodGet, "/tables/"+url.PathEscape(table)+"/key?key="+Bytes(key), nil, &f)
	if f.Found && f.Value == nil {
		f.Value = []byte{} // which is left out on the way
	}
	return f, err
}

// Slice asks for a part of a partition. ErrUnknown: there is no such table.
func (c *Client) Slice(ctx context.Context, s Slicing) (out Slice, err error) {
	query := url.Values{"partition": {strconv.Itoa(int(s.Partition))}, "from": {Bytes(s.From)}, "prefix": {Bytes(s.Prefix)}, "limit": {strconv.Itoa(s.Limit)}}
	if s.Key != nil {
		query.Set("key", Bytes(s.Key))
	}
	if s.Now {
		query.Set("now", "1")
	}
	return out, c.call(ctx, http.MethodGet, "/tables/"+url.PathEscape(s.Table)+"/keys?"+query.Encode(), nil, &out)
}

// Bytes writes bytes for a query.
func Bytes(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
