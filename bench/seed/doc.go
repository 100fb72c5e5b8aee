// Package seed makes log lines of a honeypot that never stood anywhere: as many
// as a measurement needs, and always the same ones for the same seed.
//
// What it promises: a line depends on the seed, its number and the instant at
// which the time ends, and on nothing else. So the first lines of a long run are
// those of a short one, and a run can go on at any line. It reads no clock and
// opens nothing.
//
// The lines are in the two forms that the service reads most: that of its own
// decoys' journal, and that of Cowrie. What follows was measured in two captures
// of real Cowries (105 453 lines of 984 attackers over 81 days of 2019/20, and 2 056
// lines of 10 hours of 2025), and the tests hold the generator to the first of them, each
// number to within 15 to 30 percent of it:
//
//   - how many events an attacker has: a Zipf law with a flat head (Zipf-Mandelbrot):
//     the top ten have 16 % of the events, the top hundred half, the median twenty events,
//     and some come once;
//   - how the number of attackers grows with that of the events: some 38 among any
//     thousand, 210 among ten thousand, a thousand among a hundred thousand;
//   - bursts: within a thousand events one attacker has 18 %, three have 35 %;
//   - the shape of SSH and Telnet sessions: the share of each type of event, 5 to 6
//     events a session, and the long scripts of some;
//   - credentials: 0.17 attempts an event, the ten most frequent pairs have 16 %
//     of them, and two of three attempts are a pair that was never seen before;
//   - the size of Cowrie's lines: median 240 bytes, mean 380 to 490, a tenth of over 860.
//
// What no capture tells is an assumption: the mix of services (two thirds SSH),
// which decky is visited, day and night, and that a longer log has attackers and
// credentials by the same laws.
//
// Time runs over the span in sweeps: the first thousand lines fill all of it,
// those up to 2 000 do so again, then up to 5 000, 10 000, 20 000, 50 000 and so on.
// So a prefix of such a length is spread evenly over the whole span, and one of
// another length is denser at its begin, at most by half again over twice.
package seed
