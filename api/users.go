package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"decnet/repo"
)

type userBody struct {
	UUID               string `json:"uuid"`
	Username           string `json:"username"`
	Role               string `json:"role"`
	MustChangePassword bool   `json:"must_change_password"`
}

func newUserBody(u *repo.User) userBody {
	return userBody{UUID: u.UUID, Username: u.Username, Role: string(u.Role), MustChangePassword: u.MustChangePassword}
}

type createUserBody struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

func (s *Server) createUser(c *call) (answer, error) {
	in := createUserBody{Role: string(repo.RoleViewer)}
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	hash, err := s.Passwords.Hash(c.Context(), in.Password)
	if err != nil {
		return answer{}, fmt.Errorf("hash a password: %w", err)
	}
	user := repo.User{
		UUID: uuid.NewString(), Username: in.Username, PasswordHash: hash,
		Role: repo.Role(in.Role), MustChangePassword: true, CreatedAt: s.Now(),
	}
	if err := s.Store.CreateUser(c.Context(), user); err != nil {
		if errors.Is(err, repo.ErrConflict) {
			return answer{}, errNameTaken.because(err)
		}
		return answer{}, fmt.Errorf("create a user: %w", err)
	}
	return jsonAnswer(newUserBody(&user))
}

func (s *Server) deleteUser(c *call) (answer, error) {
	id := userID(c)
	if id == c.user.UUID {
		return answer{}, errDeleteSelf
	}
	if err := s.Store.DeleteUser(c.Context(), id); err != nil {
		return answer{}, userProblem(err)
	}
	return jsonAnswer(messageBody{"User deleted"})
}

type roleBody struct {
	Role string `json:"role"`
}

func (s *Server) setRole(c *call) (answer, error) {
	var in roleBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	id := userID(c)
	if id == c.user.UUID {
		return answer{}, errDemoteSelf
	}
	if err := s.Store.SetRole(c.Context(), id, repo.Role(in.Role)); err != nil {
		return answer{}, userProblem(err)
	}
	return jsonAnswer(messageBody{"User role updated"})
}

type resetPasswordBody struct {
	NewPassword string `json:"new_password"`
}

func (s *Server) resetPassword(c *call) (answer, error) {
	var in resetPasswordBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	// Look before the costly hash: an unknown id must not occupy the gate.
	all, err := s.users.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	id := userID(c)
	if all.byUUID[id] == nil {
		return answer{}, errNoUser
	}
	hash, err := s.Passwords.Hash(c.Context(), in.NewPassword)
	if err != nil {
		return answer{}, fmt.Errorf("hash a password: %w", err)
	}
	if err := s.Store.SetPassword(c.Context(), id, hash, true); err != nil {
		return answer{}, userProblem(err)
	}
	return jsonAnswer(messageBody{"Password reset successfully"})
}

// userID is the id of the path; UUIDs are equal in either case (RFC 9562).
func userID(c *call) string { return strings.ToLower(c.PathValue("uuid")) }

func userProblem(err error) error {
	if errors.Is(err, repo.ErrNotFound) {
		return errNoUser.because(err)
	}
	return fmt.Errorf("change a user: %w", err)
}
