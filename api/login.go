package api

import (
	"encoding/json"
	"errors"
	"fmt"

	"decnet/repo"
)

type loginBody struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type tokenBody struct {
	AccessToken        string `json:"access_token"`
	TokenType          string `json:"token_type"`
	MustChangePassword bool   `json:"must_change_password"`
}

type messageBody struct {
	Message string `json:"message"`
}

// login checks a password and gives out a token. Whether a user exists shows
// neither in the answer nor in the time that it takes.
func (s *Server) login(c *call) (answer, error) {
	var in loginBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	if wait, ok := s.throttle.Begin(in.Username, c.address()); !ok {
		return answer{}, errTooManyLogins.after(wait)
	}
	all, err := s.users.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	user := all.byName[in.Username]
	var good bool
	if user == nil {
		good, err = s.Passwords.VerifyUnknown(c.Context(), in.Password)
	} else {
		good, err = s.Passwords.Verify(c.Context(), user.PasswordHash, in.Password)
	}
	if err != nil {
		return answer{}, fmt.Errorf("verify a password: %w", err)
	}
	if !good {
		return answer{}, errBadLogin
	}
	s.throttle.Succeed(in.Username, c.address())
	token, err := s.tokens.Issue(user.UUID, user.TokenVersion)
	if err != nil {
		return answer{}, fmt.Errorf("issue a token: %w", err)
	}
	return jsonAnswer(tokenBody{AccessToken: token, TokenType: "bearer", MustChangePassword: user.MustChangePassword})
}

type changePasswordBody struct {
	OldPassword string `json:"old_password"`
	NewPassword string `json:"new_password"`
}

// changePassword is all that a user may do who must change the password. It
// ends every token of the user, also the one that it was called with.
func (s *Server) changePassword(c *call) (answer, error) {
	var in changePasswordBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	// A stolen token must not be a way to guess the password.
	if wait, ok := s.throttle.Begin(c.user.Username, c.address()); !ok {
		return answer{}, errTooManyLogins.after(wait)
	}
	good, err := s.Passwords.Verify(c.Context(), c.user.PasswordHash, in.OldPassword)
	if err != nil {
		return answer{}, fmt.Errorf("verify a password: %w", err)
	}
	if !good {
		return answer{}, errBadOldPassword
	}
	s.throttle.Succeed(c.user.Username, c.address())
	hash, err := s.Passwords.Hash(c.Context(), in.NewPassword)
	if err != nil {
		return answer{}, fmt.Errorf("hash a password: %w", err)
	}
	if err := s.Store.SetPassword(c.Context(), c.user.UUID, hash, false); err != nil {
		if errors.Is(err, repo.ErrNotFound) { // deleted since the token was checked
			return answer{}, errBadToken.because(err)
		}
		return answer{}, fmt.Errorf("store a password: %w", err)
	}
	return jsonAnswer(messageBody{"Password updated successfully"})
}

// jsonAnswer encodes a value for a handler that is not hot.
func jsonAnswer(v any) (answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, fmt.Errorf("encode an answer: %w", err)
	}
	return answer{body: body}, nil
}
