// Keeps a page alive while the connection is away (a laptop slept, the chat process was started again).
// Gradio would reload the page when the connection is back, and the conversation on it would be lost: so requests wait
// instead of failing, and a stream that broke off ends as if it were complete.
(() => {
  "use strict";
  const RETRY_MS = 1500;
  const plainFetch = window.fetch.bind(window);
  const joined = new Set();

  const showLost = (lost) => {
    let notice = document.getElementById("curc-lost");
    if (lost && !notice) {
      notice = document.createElement("div");
      notice.id = "curc-lost";
      notice.setAttribute("role", "status");
      notice.textContent = "No connection to the session. Trying again …";
      document.body.append(notice);
    } else if (!lost && notice) {
      notice.remove();
    }
  };

  const insist = async (input, init) => {
    for (;;) {
      try {
        const response = await plainFetch(input, init);
        if (![502, 503, 504].includes(response.status)) {
          showLost(false);
          return response;
        }
      } catch (error) {
        if (init?.signal?.aborted) throw error;
      }
      showLost(true);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  };

  const join = async (input, init) => {
    const response = await insist(input, init);
    const reply = await response.clone().json().catch(() => ({}));
    if (reply.event_id) joined.add(reply.event_id);
    return response;
  };

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
    let tail = "";
    const breakOff = (controller) => {
      controller.enqueue(renderEnd());
      controller.close();
      joined.clear();
      // The button still says Stop; a click brings Send back.
      setTimeout(() => document.querySelector("#curc-message .stop-button")?.click(), 200);
    };
    const pull = async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (!done) {
          tail = (tail + decoder.decode(value, { stream: true })).slice(-200);
          controller.enqueue(value);
        } else if (tail.includes('"close_stream"')) {
          joined.clear();
          controller.close();
        } else {
          breakOff(controller);
        }
      } catch (error) {
        if (init?.signal?.aborted) controller.error(error);
        else breakOff(controller);
      }
    };
    return new Response(new ReadableStream({ pull, cancel: (why) => reader.cancel(why) }), response);
  };

  window.fetch = (input, init) => {
    const address = String(input?.url ?? input);
    if (address.includes("/gradio_api/queue/join")) return join(input, init);
    if (address.includes("/gradio_api/queue/data")) return listen(input, init);
    if (address.includes("/gradio_api/run/predict")) return insist(input, init);
    return plainFetch(input, init);
  };
})();
