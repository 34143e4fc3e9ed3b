package record

import "strings"

// Explain says what is wrong with raw, bytes that are no record of the type: the path of the field at fault and what is expected there. Both are
// empty if it is not one field (broken JSON, no object at all), or if nothing is wrong.
func (s *Schema) Explain(raw []byte) (field, expected string) {
	_, p := s.scan(raw, skipSpace(raw, 0), make([]slot, len(s.fields)), 0)
	if p == nil || p.at >= 0 || p.path == "" {
		return "", ""
	}
	if p.want != "" {
		return p.path, p.want
	}
	if _, what, ok := strings.Cut(p.what, ", expected "); ok {
		return p.path, what
	}
	return p.path, p.what
}
