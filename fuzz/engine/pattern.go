//go:build fuzz

package engine

import (
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
)

// patternText makes a text that a regular expression matches, of about length
// characters where the expression leaves a choice. Anchors are taken as given;
// the caller checks the text, since look-around at \b is not modelled.
func patternText(r *rand.Rand, pattern string, length int) (string, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", fmt.Errorf("pattern: %w", err)
	}
	var b strings.Builder
	writePattern(r, &b, re.Simplify(), max(length, 0))
	return b.String(), nil
}

func writePattern(r *rand.Rand, b *strings.Builder, re *syntax.Regexp, budget int) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range re.Rune {
			b.WriteRune(c)
		}
	case syntax.OpCharClass:
		b.WriteRune(classRune(r, re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(rune(' ' + r.IntN(95)))
	case syntax.OpCapture:
		writePattern(r, b, re.Sub[0], budget)
	case syntax.OpConcat:
		for i, sub := range re.Sub {
			writePattern(r, b, sub, (budget-minLength(re.Sub[i+1:]))/max(1, len(re.Sub)-i))
		}
	case syntax.OpAlternate:
		writePattern(r, b, re.Sub[r.IntN(len(re.Sub))], budget)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		least, most := repeatBounds(re)
		most = min(most, max(least, budget/max(1, minLength(re.Sub))))
		n := least + r.IntN(most-least+1)
		if r.IntN(3) == 0 {
			n = most
		}
		for range n {
			writePattern(r, b, re.Sub[0], budget/max(1, n))
		}
	default: // anchors, word boundaries and what matches nothing add no text
	}
}

func repeatBounds(re *syntax.Regexp) (least, most int) {
	const many = 1 << 20
	switch re.Op {
	case syntax.OpStar:
		return 0, many
	case syntax.OpPlus:
		return 1, many
	case syntax.OpQuest:
		return 0, 1
	default:
		if re.Max < 0 {
			return re.Min, many
		}
		return re.Min, re.Max
	}
}

// minLength is how many characters a sequence needs at least.
func minLength(subs []*syntax.Regexp) int {
	n := 0
	for _, re := range subs {
		switch re.Op {
		case syntax.OpLiteral:
			n += len(re.Rune)
		case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			n++
		case syntax.OpCapture, syntax.OpConcat:
			n += minLength(re.Sub)
		case syntax.OpPlus:
			n += minLength(re.Sub)
		case syntax.OpRepeat:
			n += re.Min * minLength(re.Sub)
		case syntax.OpAlternate:
			least := minLength(re.Sub[:1])
			for i := range re.Sub {
				least = min(least, minLength(re.Sub[i:i+1]))
			}
			n += least
		default:
		}
	}
	return n
}

// classRune draws from ranges of a class, ASCII first where there is any.
func classRune(r *rand.Rand, ranges []rune) rune {
	var ascii, all [][2]rune
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		all = append(all, [2]rune{lo, hi})
		if lo <= '~' && hi >= ' ' {
			ascii = append(ascii, [2]rune{max(lo, ' '), min(hi, '~')})
		}
	}
	if len(ascii) > 0 && r.IntN(8) > 0 {
		all = ascii
	}
	if len(all) == 0 {
		return 'a'
	}
	pick := all[r.IntN(len(all))]
	c := pick[0] + rune(r.Int64N(int64(pick[1]-pick[0])+1))
	if c >= 0xD800 && c <= 0xDFFF {
		return pick[0]
	}
	return c
}
