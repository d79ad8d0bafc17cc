// Keys of dead letters: an id is unique within its queue.
export interface DeadLetterKey {
  queue: string;
  id: string;
}

/** The ids of each queue. */
export function byQueue(letters: readonly DeadLetterKey[]): Map<string, string[]> {
  const queues = new Map<string, string[]>();
  for (const { queue, id } of letters) queues.set(queue, [...(queues.get(queue) ?? []), id]);
  return queues;
}
