package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Looker answers questions about tables; a Client is one.
type Looker interface {
	Tables(ctx context.Context) (Tables, error)
	Get(ctx context.Context, table string, key []byte) (Found, error)
	Slice(ctx context.Context, what Slicing) (Slice, error)
}

// Lookers gives clients as what they are.
func Lookers(clients []*Client) []Looker {
	list := make([]Looker, len(clients))
	for i, c := range clients {
		list[i] = c
	}
	return list
}

// Finder asks the workers of a group about their tables, wherever a partition is: those it was given, and those that these name. Its methods may be called
// from any goroutine.
type Finder struct {
	given  []Looker
	access Access

	mu    sync.Mutex
	named map[string]*Client // by URL
}

// NewFinder allocates. There is at least one worker; the caller keeps them. access is to the others.
func NewFinder(given []Looker, access Access) *Finder {
	return &Finder{given: given, access: access, named: map[string]*Client{}}
}

// Close releases the connections to workers that were not given. Idempotent.
func (f *Finder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for url, c := range f.named {
		c.Close()
		delete(f.named, url)
	}
}

// Get gives what a key has. The error says which worker could not be asked, or that nobody has the key's partition for the moment.
func (f *Finder) Get(ctx context.Context, table string, key []byte) (Found, error) {
	var at Place
	var problem error
	for _, c := range f.given {
		found, err := c.Get(ctx, table, key)
		switch {
		case err != nil:
			problem = err
		case found.Here:
			return found, nil
		case at.URL == "":
			at = found.Place
		}
	}
	if at.URL == "" {
		return Found{}, unplaced(table, at, problem)
	}
	c, err := f.at(ctx, table, at)
	if err != nil {
		return Found{}, err
	}
	found, err := c.Get(ctx, table, key)
	if err == nil && !found.Here {
		err = unplaced(table, found.Place, nil)
	}
	return found, f.failed(table, at, err)
}

// unplaced is the error of a partition that nobody can be asked about.
func unplaced(table string, at Place, problem error) error {
	switch {
	case at.Problem == "" && problem != nil:
		return problem
	case at.Problem == "":
		at.Problem = "it goes from one worker to another"
	}
	if at.Partition < 0 {
		return &Error{Text: fmt.Sprintf("table %s: %s", table, at.Problem)}
	}
	return &Error{Text: fmt.Sprintf("partition %d of table %s: %s", at.Partition, table, at.Problem), Hint: "try again in a few seconds"}
}

// at reaches the worker that is said to have a partition.
func (f *Finder) at(ctx context.Context, table string, at Place) (*Client, error) {
	f.mu.Lock()
	c := f.named[at.URL]
	f.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := DialHTTP(ctx, at.URL, f.access)
	if err != nil {
		return nil, f.failed(table, at, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if other := f.named[at.URL]; other != nil {
		c.Close()
		return other, nil
	}
	f.named[at.URL] = c
	return c, nil
}

// failed says which partition is concerned if the worker that is said to have it could not be asked.
func (f *Finder) failed(table string, at Place, err error) error {
	var told *Error
	switch {
	case err == nil, errors.As(err, &told) && told.kind == nil:
		return err
	case errors.Is(err, ErrForbidden):
		return &Error{Text: fmt.Sprintf("partition %d of table %s: %s", at.Partition, table, err), kind: ErrForbidden,
			Hint: "a worker on another machine asks for web_token: give the same to all, FAUST_WEB_TOKEN"}
	case errors.Is(err, ErrGone):
		return &Error{Text: fmt.Sprintf("partition %d of table %s: %s", at.Partition, table, err), kind: ErrGone}
	}
	return fmt.Errorf("partition %d of table %s: %w", at.Partition, table, err)
}

// Walk goes through a table, partition after partition, each in the order of its keys. One goroutine at a time uses it.
type Walk struct {
	finder *Finder
	what   Slicing
	last   int32 // partition
	owners []Looker
	places []Place
}

// walkLimit is how many pairs are asked for at a time.
const walkLimit = 500

// Walk begins to go through what is wanted of all partitions. The error names a partition that nobody can be asked about.
func (f *Finder) Walk(ctx context.Context, what Slicing) (*Walk, error) {
	table := what.Table
	what.Partition, what.Limit = 0, walkLimit
	w := &Walk{finder: f, what: what}
	if err := w.place(ctx); err != nil {
		return nil, err
	}
	w.last = int32(len(w.owners)) - 1
	for id, c := range w.owners {
		if c == nil {
			c, err := f.at(ctx, table, w.places[id])
			if err != nil {
				return nil, err
			}
			w.owners[id] = c
		}
	}
	return w, nil
}

// Members begins to go through the members of a key of a table of sets, which is in the given partition.
func (f *Finder) Members(ctx context.Context, table string, partition int32, key []byte) (*Walk, error) {
	w := &Walk{finder: f, what: Slicing{Table: table, Key: key, Partition: partition, Limit: walkLimit}, last: partition}
	if err := w.place(ctx); err != nil {
		return nil, err
	}
	if int(partition) >= len(w.owners) {
		return nil, unplaced(table, Place{Partition: partition}, nil)
	}
	if w.owners[partition] == nil {
		c, err := f.at(ctx, table, w.places[partition])
		if err != nil {
			return nil, err
		}
		w.owners[partition] = c
	}
	return w, nil
}

// place finds out of each partition who has it: one of the workers that were given, or nil and a place with a URL.
func (w *Walk) place(ctx context.Context) error {
	var problem error
	for _, c := range w.finder.given {
		all, err := c.Tables(ctx)
		if err != nil {
			problem = err
			continue
		}
		for _, t := range all.Tables {
			if t.Name == w.what.Table {
				w.learn(c, t)
			}
		}
	}
	if w.owners == nil && problem != nil {
		return problem
	}
	for id, at := range w.places {
		if w.owners[id] == nil && at.URL == "" {
			return unplaced(w.what.Table, at, problem)
		}
	}
	return nil
}

// learn takes what a worker tells of the table.
func (w *Walk) learn(c Looker, t Table) {
	if len(w.owners) < len(t.Partitions) {
		w.places, w.owners = make([]Place, len(t.Partitions)), make([]Looker, len(t.Partitions))
	}
	for id, s := range t.Partitions {
		if s.Here {
			w.owners[id] = c
		}
		if w.places[id].URL == "" {
			w.places[id] = s.Place
		}
	}
}

// Next gives the next pairs, and the partition they are in. None: that was all.
func (w *Walk) Next(ctx context.Context) (partition int32, pairs []Pair, err error) {
	for w.what.Partition <= w.last {
		id := w.what.Partition
		s, err := w.slice(ctx, id)
		if err != nil {
			return id, nil, err
		}
		if w.what.From = s.Next; s.Next == nil {
			w.what.Partition++
		}
		if len(s.Pairs) > 0 {
			return id, s.Pairs, nil
		}
	}
	return -1, nil, nil
}

// slice asks for the next part of a partition, which may have gone to another worker meanwhile.
func (w *Walk) slice(ctx context.Context, id int32) (Slice, error) {
	table, at := w.what.Table, w.places[id]
	s, err := w.owners[id].Slice(ctx, w.what)
	if err == nil && !s.Here && s.URL != "" {
		at = s.Place
		var c *Client
		if c, err = w.finder.at(ctx, table, at); err == nil {
			w.owners[id] = c
			s, err = c.Slice(ctx, w.what)
		}
	}
	if err == nil && !s.Here {
		err = unplaced(table, s.Place, nil)
	}
	return s, w.finder.failed(table, at, err)
}
