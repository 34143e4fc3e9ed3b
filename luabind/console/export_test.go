package console

import (
	"errors"

	"faust/luabind/fault"
)

func asPlace(err error) string {
	var e *fault.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Place.String()
}
