"""`p2pcommerce sim`: the simulator from the shell.

- `command`: the command line (start here)
- `options`: what can be typed; `gossip`, `finality`, `poison`, `twins`, `picture`: what is done then; `finality`
  serves `sim network`, too
- `judgement`: what a sweep does not look at, and what it shows too little of
- `failure`: what a person is told of a seed that failed, and how to repeat it; `shrinking`: makes its world
  small
- `progress`: how far it is and how long it takes; `workers`: who runs the seeds, and how they stop
"""
