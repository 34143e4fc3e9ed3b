package broker

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// The user data of the group protocol. A version byte comes first, then the fields in a fixed order: numbers as uvarints, texts and lists with their
// lengths before them. Fields are only ever added at the end: who knows fewer ignores the rest. A version that is not known, or data that
// ends early, counts as no data.
const dataVersion = 1

// joinData is what a member says of itself when it joins.
type joinData struct {
	ties        []Tie
	url         string // at which other workers reach it; may be empty
	transaction string // transactional id; may be empty
	stored      map[Shard]int64
	replicas    int            // how many copies of its tables it wants there to be; 0: and keeps none itself
	copies      map[Shard]bool // that it keeps; true: they are as far as their changelogs
}

func (d joinData) encode() []byte {
	b := []byte{dataVersion}
	b = binary.AppendUvarint(b, uint64(len(d.ties)))
	for _, t := range d.ties {
		b = appendTexts(b, t.Topics)
		b = appendTexts(b, t.Tables)
	}
	b = appendText(b, d.url)
	b = appendText(b, d.transaction)
	b = appendShards(b, d.stored, func(b []byte, at int64) []byte { return binary.AppendUvarint(b, uint64(max(0, at))) })
	b = binary.AppendUvarint(b, uint64(d.replicas))
	return appendShards(b, d.copies, func(b []byte, warm bool) []byte {
		if warm {
			return append(b, 1)
		}
		return append(b, 0)
	})
}

func decodeJoinData(b []byte) joinData {
	r, ok := newReader(b)
	if !ok {
		return joinData{}
	}
	var d joinData
	for range r.length() {
		d.ties = append(d.ties, Tie{Topics: r.texts(), Tables: r.texts()})
	}
	d.url = r.text()
	d.transaction = r.text()
	d.stored = readShards(r, func() int64 { return int64(r.number()) })
	if !r.done() { // a binary before standbys
		d.replicas = int(r.number())
		d.copies = readShards(r, func() bool { return r.number() != 0 })
	}
	if r.bad {
		return joinData{}
	}
	return d
}

// appendShards writes what is said of shards, by table.
func appendShards[V any](b []byte, m map[Shard]V, value func(b []byte, v V) []byte) []byte {
	tables := map[string][]int32{}
	for s := range m {
		tables[s.Table] = append(tables[s.Table], s.Partition)
	}
	b = binary.AppendUvarint(b, uint64(len(tables)))
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		ids := tables[name]
		slices.Sort(ids)
		b = appendText(b, name)
		b = binary.AppendUvarint(b, uint64(len(ids)))
		for _, id := range ids {
			b = binary.AppendUvarint(b, uint64(id))
			b = value(b, m[Shard{name, id}])
		}
	}
	return b
}

// readShards is the reverse; nil if nothing is said of any.
func readShards[V any](r *dataReader, value func() V) (m map[Shard]V) {
	for range r.length() {
		table := r.text()
		for range r.length() {
			if m == nil {
				m = map[Shard]V{}
			}
			s := Shard{table, int32(r.number())}
			m[s] = value()
		}
	}
	return m
}

// assignData is what the leader tells every member beside its partitions.
type assignData struct {
	standbys []Shard // of which the member keeps a copy
	owners   ownerMap
	warming  []Shard // of the standbys those that are to be its own, once it says that they are as far as their changelogs
}

// ownerMap tells at which URL the owner of each unit is reached.
type ownerMap struct {
	urls  []string
	kinds []ownedKind
}

// ownedKind has the owners of the units of one tie.
type ownedKind struct {
	names  []string // of topics, then of tables
	tables int      // how many of names are tables
	owners []int    // by partition: 1 + the index of the URL; 0: nobody for the moment
	copies [][]int  // by partition: indexes of the URLs of those that keep copies; nil: nobody does
}

// add notes the owners of a kind, as indexes of members, -1: nobody, and who keeps copies.
func (o *ownerMap) add(k *unitKind, owners []int, copies [][]int, members []groupMember) {
	kind := ownedKind{names: slices.Concat(k.topics, k.tables), tables: len(k.tables), owners: make([]int, len(owners))}
	for p, m := range owners {
		if m >= 0 {
			kind.owners[p] = 1 + o.url(members[m].url)
		}
	}
	for p, ms := range copies {
		for _, m := range ms {
			if kind.copies == nil {
				kind.copies = make([][]int, len(copies))
			}
			kind.copies[p] = append(kind.copies[p], o.url(members[m].url))
		}
	}
	o.kinds = append(o.kinds, kind)
}

// url gives the index of a URL.
func (o *ownerMap) url(text string) int {
	i := slices.Index(o.urls, text)
	if i < 0 {
		i = len(o.urls)
		o.urls = append(o.urls, text)
	}
	return i
}

// of gives the URL, "" if the owner has none, of whoever owns a partition of a topic or table; false: nobody does for the moment, or it is not known.
func (o *ownerMap) of(name string, partition int32, table bool) (url string, ok bool) {
	for _, k := range o.kinds {
		names := k.names[:len(k.names)-k.tables]
		if table {
			names = k.names[len(names):]
		}
		if slices.Contains(names, name) && partition >= 0 && int(partition) < len(k.owners) && k.owners[partition] > 0 {
			return o.urls[k.owners[partition]-1], true
		}
	}
	return "", false
}

// ofTable gives the URLs, those that are none left out, of the members that keep copies of a partition of a table.
func (o *ownerMap) ofTable(name string, partition int32) (urls []string) {
	for _, k := range o.kinds {
		if slices.Contains(k.names[len(k.names)-k.tables:], name) && partition >= 0 && int(partition) < len(k.copies) {
			for _, i := range k.copies[partition] {
				if o.urls[i] != "" {
					urls = append(urls, o.urls[i])
				}
			}
		}
	}
	return urls
}

func (d assignData) encode() []byte {
	b := appendList([]byte{dataVersion}, d.standbys)
	b = appendTexts(b, d.owners.urls)
	b = binary.AppendUvarint(b, uint64(len(d.owners.kinds)))
	for _, k := range d.owners.kinds {
		b = appendTexts(b, k.names[:len(k.names)-k.tables])
		b = appendTexts(b, k.names[len(k.names)-k.tables:])
		b = binary.AppendUvarint(b, uint64(len(k.owners)))
		for _, o := range k.owners {
			b = binary.AppendUvarint(b, uint64(o))
		}
	}
	b = appendList(b, d.warming)
	for _, k := range d.owners.kinds {
		b = binary.AppendUvarint(b, uint64(len(k.copies)))
		for _, urls := range k.copies {
			b = binary.AppendUvarint(b, uint64(len(urls)))
			for _, i := range urls {
				b = binary.AppendUvarint(b, uint64(i))
			}
		}
	}
	return b
}

// appendList writes shards, in order.
func appendList(b []byte, list []Shard) []byte {
	list = slices.SortedFunc(slices.Values(list), func(a, b Shard) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), cmp.Compare(a.Partition, b.Partition))
	})
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s.Table)
		b = binary.AppendUvarint(b, uint64(s.Partition))
	}
	return b
}

func (r *dataReader) shards() (list []Shard) {
	for range r.length() {
		list = append(list, Shard{r.text(), int32(r.number())})
	}
	return list
}

func decodeAssignData(b []byte) assignData {
	r, ok := newReader(b)
	if !ok {
		return assignData{}
	}
	var d assignData
	d.standbys = r.shards()
	d.owners.urls = r.texts()
	for range r.length() {
		topics, tables := r.texts(), r.texts()
		k := ownedKind{names: slices.Concat(topics, tables), tables: len(tables)}
		for range r.length() {
			o := r.number()
			r.bad = r.bad || o > uint64(len(d.owners.urls))
			k.owners = append(k.owners, int(o))
		}
		d.owners.kinds = append(d.owners.kinds, k)
	}
	if !r.done() { // a leader of a binary before standbys
		d.warming = r.shards()
		d.owners.readCopies(r)
	}
	if r.bad {
		return assignData{}
	}
	return d
}

func (o *ownerMap) readCopies(r *dataReader) {
	for i := range o.kinds {
		for range r.length() {
			var urls []int
			for range r.length() {
				u := r.number()
				r.bad = r.bad || u >= uint64(len(o.urls))
				urls = append(urls, int(u))
			}
			o.kinds[i].copies = append(o.kinds[i].copies, urls)
		}
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// dataReader reads user data. After what cannot be read it is bad and gives zeros.
type dataReader struct {
	rest []byte
	bad  bool
}

// newReader is ready behind the version; false: it is not ours.
func newReader(b []byte) (*dataReader, bool) {
	if len(b) == 0 || b[0] != dataVersion {
		return nil, false
	}
	return &dataReader{rest: b[1:]}, true
}

// done tells whether all was read.
func (r *dataReader) done() bool { return len(r.rest) == 0 }

func (r *dataReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || r.bad {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// length reads the length of a list or text; each of its elements takes a byte or more.
func (r *dataReader) length() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *dataReader) text() string {
	n := r.length()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *dataReader) texts() (list []string) {
	for range r.length() {
		list = append(list, r.text())
	}
	return list
}
