package record

import (
	"encoding/binary"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

const (
	cacheSize   = 4096 // entries; a power of two
	cacheText   = 64   // longer strings are not cached
	cacheTrial  = 4096 // look-ups after which a field's luck is judged
	cacheHits   = cacheTrial / 8
	cachePause  = 16 // trials' worth of look-ups that a field without luck goes without the cache
	slabSize    = 64
	stringSlabs = 16 // strings that share an allocation,
	slabText    = 16 // with this many bytes each, on average,
	slabLongest = 32 // and at most this many
	smallNumber = 256
)

// stringCache gives the same boxed Lua string for the same bytes, so that fields with few values cost no allocation.
type stringCache struct {
	entries []lua.LValue // nil until used; then cacheSize
	slab    stringSlab
}

// internStat is how one field fares with the cache. Below one hit in eight it goes without for a while.
type internStat struct {
	tries, hits int32
	off         bool
}

// get makes a Lua string of b, which it copies.
func (c *stringCache) get(b []byte, stat *internStat) lua.LValue {
	if len(b) > cacheText || stat.off {
		stat.rest()
		return c.slab.get(b)
	}
	if c.entries == nil {
		c.entries = make([]lua.LValue, cacheSize)
	}
	entry := &c.entries[hashText(b)&(cacheSize-1)]
	if s, ok := (*entry).(lua.LString); ok && string(s) == string(b) {
		stat.hits++
		stat.judge()
		return *entry
	}
	stat.judge()
	v := c.slab.get(b)
	*entry = v
	return v
}

func (s *internStat) judge() {
	if s.tries++; s.tries >= cacheTrial {
		*s = internStat{off: s.hits < cacheHits}
	}
}

// rest counts a look-up without cache, until the field is given another chance.
func (s *internStat) rest() {
	if !s.off {
		return
	}
	if s.tries++; s.tries >= cacheTrial*cachePause {
		*s = internStat{}
	}
}

// hashText mixes a text of at most 64 bytes, eight bytes at a time.
func hashText(b []byte) uint64 {
	const prime = 0x9e3779b97f4a7c15
	h := uint64(len(b)) * prime
	for len(b) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(b)) * prime
		h ^= h >> 29
		b = b[8:]
	}
	if len(b) >= 4 {
		h = (h ^ uint64(binary.LittleEndian.Uint32(b))) * prime
		h ^= h >> 29
		b = b[4:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * prime
	}
	return h ^ h>>32
}

// stringSlab boxes short strings, 16 at two allocations, of the boxes and of their text. Neither is used twice, so a value may live as long as it likes; it
// then keeps both, of 256 bytes, and what else has a text there.
type stringSlab struct {
	free []lua.LString
	text []byte
}

// get boxes b, which it copies.
func (s *stringSlab) get(b []byte) lua.LValue {
	if len(b) == 0 || len(b) > slabLongest {
		return lua.LString(b)
	}
	if len(s.free) == 0 {
		s.free = make([]lua.LString, stringSlabs)
	}
	if len(s.text) < len(b) {
		s.text = make([]byte, stringSlabs*slabText)
	}
	box := &s.free[0]
	*box = lua.LString(unsafe.String(&s.text[0], copy(s.text, b)))
	s.free, s.text = s.free[1:], s.text[len(b):]
	return boxed(lua.LString(""), unsafe.Pointer(box))
}

// boxed gives a Lua value of like's type whose box is what the pointer points at. An interface is a type word and a pointer: Go need not allocate a box of its own.
func boxed(like lua.LValue, box unsafe.Pointer) lua.LValue {
	(*[2]unsafe.Pointer)(unsafe.Pointer(&like))[1] = box
	return like
}

// numberSlab boxes numbers, 64 at an allocation. A box is never used twice, so a value may live as long as it likes; it then
// keeps its slab of 512 bytes.
type numberSlab struct {
	free  []lua.LNumber
	small [smallNumber]lua.LValue // whole numbers from 0 on
}

// get boxes n.
func (s *numberSlab) get(n lua.LNumber) lua.LValue {
	if i := int(n); i >= 0 && i < smallNumber && lua.LNumber(i) == n && (i > 0 || 1/n > 0) {
		if s.small[i] == nil {
			s.small[i] = n
		}
		return s.small[i]
	}
	if len(s.free) == 0 {
		s.free = make([]lua.LNumber, slabSize)
	}
	box := &s.free[0]
	*box = n
	s.free = s.free[1:]
	return boxed(lua.LNumber(0), unsafe.Pointer(box))
}
