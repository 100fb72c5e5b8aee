package contract

import "errors"

// Page renders the document as one HTML page for people.
func Page(c *Contract) ([]byte, error) {
	return nil, errors.New("not yet")
}
