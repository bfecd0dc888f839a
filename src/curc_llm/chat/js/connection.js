// Keeps a page alive while the connection is away (a laptop slept, the chat process was started again).
// Gradio would reload the page when the connection is back, and the conversation on it would be lost: so requests wait
// instead of failing, and a stream that broke off ends as if it were complete.
(() => {
  "use strict";
  const RETRY_MS = 1500;
  // That an event waits in the queue, and that it has begun: Gradio draws all that it changes anew, 10 ms each time,
  // for a sign of progress that this page doesn't show.
  const NEEDLESS = /^data: \{"msg":"(?:estimation|process_starts|heartbeat)"/;
  const REFUSED_RETRY_MS = 5000;
  const LOST = "No connection to the session. Trying again …";
  const REFUSED =
    "Your login has expired, or this session is no longer shared with you. Reload the page to log in again.";
  const plainFetch = window.fetch.bind(window);
  const joined = new Set();

  let lostAt = -Infinity;
  const showLost = (lost, words) => {
    if (lost) lostAt = performance.now();
    document.documentElement.classList.toggle("curc-is-lost", lost);
    let notice = document.getElementById("curc-lost");
    if (lost && !notice) {
      notice = document.createElement("div");
      notice.id = "curc-lost";
      notice.setAttribute("role", "status");
      document.body.append(notice);
    } else if (!lost && notice) {
      notice.remove();
    }
    if (lost && notice.textContent !== words) notice.textContent = words;
  };

  // The gateway refuses, or the portal leads to its own login.
  const isRefusal = (response) => [401, 403].includes(response.status) || response.redirected;

  const insist = async (input, init) => {
    for (;;) {
      let refused = false;
      try {
        const response = await plainFetch(input, init);
        refused = isRefusal(response);
        if (!refused && ![502, 503, 504].includes(response.status)) {
          showLost(false);
          return response;
        }
      } catch (error) {
        if (init?.signal?.aborted) throw error;
      }
      showLost(true, refused ? REFUSED : LOST);
      await new Promise((resolve) => setTimeout(resolve, refused ? REFUSED_RETRY_MS : RETRY_MS));
    }
  };

  const join = async (input, init) => {
    const response = await insist(input, init);
    const reply = await response.clone().json().catch(() => ({}));
    if (reply.event_id) joined.add(reply.event_id);
    return response;
  };

  // After that the chat is read anew: the process that knew how far it had come may be another one now.
  const ENDED_MS = 300;
  let broke = false;
  curc.onChange.push(() => {
    if (!broke || curc.isAnswering()) return;
    broke = false;
    if (curc.chat) setTimeout(() => curc.isAnswering() || curc.send("open", curc.chat), ENDED_MS);
  });

  // What Gradio's own server says when an event was cancelled.
  const renderEnd = () => {
    const messages = [...joined].map((id) => ({ msg: "process_completed", event_id: id, output: {}, success: true }));
    messages.push({ msg: "close_stream", event_id: null });
    return new TextEncoder().encode(messages.map((m) => `data: ${JSON.stringify(m)}\n\n`).join(""));
  };

  const listen = async (input, init) => {
    const response = await insist(input, init);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const encoder = new TextEncoder();
    let rest = "";
    let isEnded = false;
    const breakOff = (controller) => {
      controller.enqueue(renderEnd());
      controller.close();
      joined.clear();
      broke = true;
      // The button still says Stop; a click brings Send back.
      setTimeout(() => document.querySelector("#curc-message .stop-button")?.click(), 200);
    };
    // The events of a piece that the page needs, and whether the stream ended as it should.
    const take = (value) => {
      const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = events.pop();
      isEnded ||= events.some((event) => event.includes('"close_stream"'));
      return events.filter((event) => !NEEDLESS.test(event)).map((event) => `${event}\n\n`).join("");
    };
    // Gradio hangs up by itself once it was told that the stream is closed.
    const end = (controller) => {
      if (!isEnded) return breakOff(controller);
      joined.clear();
      controller.close();
    };
    const pull = async (controller) => {
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const text = take(value);
          if (!text) continue;
          controller.enqueue(encoder.encode(text));
          return;
        }
        end(controller);
      } catch (error) {
        if (init?.signal?.aborted) controller.error(error);
        else end(controller);
      }
    };
    return new Response(new ReadableStream({ pull, cancel: (why) => reader.cancel(why) }), response);
  };

  // Gradio says “Error” in red (base.css hides it). After a broken connection the notice has said it in words; what
  // else went wrong is told here.
  const JUST_MS = 15_000;
  curc.onChange.push(() => {
    for (const error of document.querySelectorAll('[data-testid="status-tracker"] .error:not([data-curc-told])')) {
      error.dataset.curcTold = "yes";
      if (performance.now() - lostAt < JUST_MS) continue;
      curc.tell("That didn't work", "The chat's server made a mistake. Try it again; what was said is kept.", true);
    }
  });

  window.fetch = (input, init) => {
    const address = String(input?.url ?? input);
    if (address.includes("/gradio_api/queue/join")) return join(input, init);
    if (address.includes("/gradio_api/queue/data")) return listen(input, init);
    if (address.includes("/gradio_api/run/predict")) return insist(input, init);
    return plainFetch(input, init);
  };
})();
