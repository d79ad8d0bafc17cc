// Computes a proof of work in a web worker, so that the page stays responsive.
import { solve, type Work } from "@/composables/proofOfWork";

self.onmessage = ({ data }: MessageEvent<Work>) => {
  const solution = solve(data, (done) => self.postMessage({ done }));
  self.postMessage({ solution });
};
